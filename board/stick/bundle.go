package stick

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what is looked at: a folder may hold anything.
const (
	mostLooked  = 1000
	mostBundles = 16
)

// bundles lists the updates on a stick at a directory, by their paths, in the order of their names. Only plain files
// are some: whoever opens one must not be led elsewhere, and checks it himself all the same.
func bundles(at string) (all []string, err error) {
	top, err := os.OpenRoot(at)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	dir, err := top.Open(UpdatesIn)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer dir.Close()
	if info, err := dir.Stat(); err != nil || !info.IsDir() {
		return nil, err
	}
	entries, err := dir.ReadDir(mostLooked)
	if errors.Is(err, io.EOF) {
		err = nil // it is empty
	}
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || strings.HasPrefix(name, ".") || !strings.EqualFold(filepath.Ext(name), UpdateEnd) {
			continue
		}
		all = append(all, filepath.Join(at, UpdatesIn, name))
	}
	slices.Sort(all)
	if len(all) > mostBundles {
		return all[:mostBundles], fmt.Errorf("%d are too many: the first %d are looked at", len(all), mostBundles)
	}
	return all, err
}
