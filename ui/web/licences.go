package web

import (
	_ "embed"
	"net/http"
	"os"
	"strings"
)

// Both files are written by `make licences`, from what the programs of a box are made of.
//
//go:embed licences/libraries.tsv
var libraries string

//go:embed licences/texts.txt
var licenceTexts []byte

// licences are those of the libraries in the programs of a box, by module, as SPDX names them.
func licences() map[string]string {
	known := map[string]string{}
	for line := range strings.Lines(libraries) {
		path, licence, _ := strings.Cut(strings.TrimSpace(line), "\t")
		known[path] = licence
	}
	return known
}

// licenceText shows the words of the licences of all that the box was shipped with: of the image, whose kernel
// and boot loader have theirs, or else of the programs.
func (s *server) licenceText(w http.ResponseWriter, _ *visit) {
	text := licenceTexts
	if s.Licences != "" {
		if b, err := os.ReadFile(s.Licences); err == nil {
			text = b
		} else {
			s.Log.Warn("licences of the whole box not shown", "err", err)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(text)
}
