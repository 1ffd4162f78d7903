package sbom

import (
	"bytes"
	"cmp"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Programs lists the Go modules inside of executables, each once, and the language's own library. dirs
// tells where the modules lie, root first, and then their packages; goroot where Go does.
func Programs(executables map[string][]byte, dirs map[string][]string, goroot string) ([]Component, error) {
	found := map[string]Component{}
	for name, b := range executables {
		info, err := buildinfo.Read(bytes.NewReader(b))
		if err != nil {
			return nil, fmt.Errorf("sbom: %s: %w", name, err)
		}
		add := func(path, version, sum string, dirs []string) error {
			c, err := module(path, dirs)
			if err != nil {
				return fmt.Errorf("sbom: %s: %w", name, err)
			}
			c.Version, c.PURL, c.Sum = version, "pkg:golang/"+path+"@"+version, sum
			found[path+"@"+version] = c
			return nil
		}
		for _, d := range info.Deps {
			if d.Replace != nil {
				return nil, fmt.Errorf("sbom: %s: module %s is replaced by %s: what is shipped would not be what is listed", name, d.Path, d.Replace.Path)
			}
			if _, ok := found[d.Path+"@"+d.Version]; !ok {
				if err := add(d.Path, d.Version, d.Sum, dirs[d.Path]); err != nil {
					return nil, err
				}
			}
		}
		if err := add("std", strings.TrimPrefix(info.GoVersion, "go"), "", []string{goroot}); err != nil {
			return nil, err
		}
	}
	return sorted(found), nil
}

// Modules is Programs for what has not been built: the components have no version.
func Modules(dirs map[string][]string, goroot string) ([]Component, error) {
	found := map[string]Component{}
	add := func(path string, dirs []string) (err error) {
		found[path], err = module(path, dirs)
		return err
	}
	for path, at := range dirs {
		if err := add(path, at); err != nil {
			return nil, fmt.Errorf("sbom: %w", err)
		}
	}
	if err := add("std", []string{goroot}); err != nil {
		return nil, fmt.Errorf("sbom: %w", err)
	}
	return sorted(found), nil
}

func sorted(found map[string]Component) []Component {
	all := slices.Collect(maps.Values(found))
	slices.SortFunc(all, func(a, b Component) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	return all
}

// module reads the licences of a module: the one at its root, which it must have, and those that lie with
// packages of it.
func module(path string, dirs []string) (c Component, err error) {
	if len(dirs) == 0 || dirs[0] == "" {
		return c, fmt.Errorf("%w: module %s does not lie on this machine", ErrLicence, path)
	}
	var texts []string
	for i, dir := range dirs {
		here, err := licencesIn(dir)
		if err != nil {
			return c, fmt.Errorf("module %s: %w", path, err)
		}
		if i == 0 && len(here) == 0 {
			return c, fmt.Errorf("%w: no file in %s", ErrLicence, dir)
		}
		for _, text := range here {
			if !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	c = Component{Name: path, Kind: "library", Text: strings.Join(texts, "\n\n")}
	var ok bool
	if c.Licence, ok = Recognise(c.Text); !ok {
		return c, fmt.Errorf("%w: %s", ErrLicence, dirs[0])
	}
	return c, nil
}

// names of files that hold a licence, or what a licence wants to be passed on with it, in lower case.
var names = []string{"license", "licence", "copying", "notice", "patents"}

// licencesIn reads the licences of one directory, those before notices.
func licencesIn(dir string) (texts []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrLicence, err)
	} else if err != nil {
		return nil, err
	}
	for _, name := range names {
		for _, e := range entries {
			// LICENSE, license.txt, LICENSE-MIT, but no license.go and no directory.
			word := strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(e.Name(), ".txt"), ".md"))
			if e.IsDir() || word != name && !strings.HasPrefix(word, name+"-") && !strings.HasPrefix(word, name+".") || strings.HasSuffix(word, ".go") {
				continue
			}
			b, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			texts = append(texts, strings.TrimSpace(strings.ReplaceAll(string(b), "\r\n", "\n")))
		}
	}
	return texts, nil
}
