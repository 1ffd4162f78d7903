package config

import (
	"fmt"
	"strings"
)

// Problem is one mistake in the configuration.
type Problem struct {
	Path string // e.g. queues[0].agents[2]; the line of the file for a syntax error
	Text string // what is wrong and what would be right, in English; the page translates by Code
	Code string // stable name for the page's catalogue
}

// String is one line for a console.
func (p Problem) String() string { return p.Path + ": " + p.Text }

// Problems is every mistake found, never empty when used as an error.
type Problems []Problem

// Error lists every problem, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) add(path, code, format string, args ...any) {
	*p = append(*p, Problem{Path: path, Code: code, Text: fmt.Sprintf(format, args...)})
}
