package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds what Parse reads: a configuration of a thousand agents is well below it.
const maxFile = 4 << 20

// Parse reads a YAML file over the defaults. Unknown fields are errors, so that a misspelt name is
// found at once. The error is Problems.
func Parse(text []byte) (Config, error) {
	c, unknown, err := ParseKnown(text)
	if err == nil && len(unknown) > 0 {
		err = unknown
	}
	return c, err
}

// ParseKnown is Parse for a file of which no field can be a slip of the pen, since it was in force before, under a later
// release of this program or an earlier one: the fields that this one does not know are passed over, and told. The
// error is Problems, unknown fields among them when there is another mistake.
func ParseKnown(text []byte) (c Config, unknown Problems, err error) {
	c = Default()
	if len(text) > maxFile {
		return c, nil, Problems{{Path: "file", Code: "too_large", Text: fmt.Sprintf("larger than %d bytes", maxFile)}}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		unknown = syntax(err)
		if slices.ContainsFunc(unknown, func(p Problem) bool { return p.Code != codeUnknown }) {
			return c, nil, unknown
		}
	}
	c.normalise()
	if p := c.Validate(); len(p) > 0 {
		return c, nil, append(unknown, p...)
	}
	return c, unknown, nil
}

// codeUnknown is the Code of a field that this program does not know.
const codeUnknown = "unknown_field"

var (
	lineOf    = regexp.MustCompile(`^(?:yaml: )?(line \d+): (.*)$`)
	unknownOf = regexp.MustCompile(`^field .* not found in type \S+$`) // as the decoder says it of KnownFields
)

// syntax turns the decoder's errors into problems with their lines.
func syntax(err error) Problems {
	texts := []string{err.Error()}
	var types *yaml.TypeError
	if errors.As(err, &types) {
		texts = types.Errors
	}
	var found Problems
	for _, text := range texts {
		p := Problem{Path: "file", Code: "syntax", Text: text}
		if m := lineOf.FindStringSubmatch(text); m != nil {
			p.Path, p.Text = m[1], m[2]
		}
		if unknownOf.MatchString(p.Text) {
			p.Code = codeUnknown
		}
		found = append(found, p)
	}
	return found
}

// Encode writes the configuration, defaults filled in, as YAML that Parse reads back to the same
// value. A field that came after v0.1.0 is left out while it has its default (omitempty; IsZero where that is not the
// zero value), so that a release that does not know it has no reason to refuse the file.
func (c *Config) Encode() ([]byte, error) {
	full := c.Clone()
	full.normalise()
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&full); err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	return out.Bytes(), nil
}
