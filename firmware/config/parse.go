package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds what Parse reads: a configuration of a thousand agents is well below it.
const maxFile = 4 << 20

// Parse reads a YAML file over the defaults. Unknown fields are errors, so that a misspelt name is
// found at once. The error is Problems.
func Parse(text []byte) (Config, error) {
	c := Default()
	if len(text) > maxFile {
		return c, Problems{{Path: "file", Code: "too_large", Text: fmt.Sprintf("larger than %d bytes", maxFile)}}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, syntax(err)
	}
	c.normalise()
	if p := c.Validate(); len(p) > 0 {
		return c, p
	}
	return c, nil
}

var lineOf = regexp.MustCompile(`^(?:yaml: )?(line \d+): (.*)$`)

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
		found = append(found, p)
	}
	return found
}

// Encode writes the configuration, defaults filled in, as YAML that Parse reads back to the same
// value.
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
