package scenario

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed files/*.scenario
var files embed.FS

// Shipped lists the scenarios that come with the program, by name.
func Shipped() []string {
	all, err := fs.Glob(files, "files/*.scenario")
	if err != nil {
		return nil // the pattern is ours
	}
	for i, f := range all {
		all[i] = strings.TrimSuffix(path.Base(f), ".scenario")
	}
	return all
}

// Source is the text of a shipped scenario.
func Source(name string) (string, error) {
	text, err := files.ReadFile("files/" + name + ".scenario")
	if err != nil {
		return "", fmt.Errorf("no scenario of the name %q is shipped", name)
	}
	return string(text), nil
}
