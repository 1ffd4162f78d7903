package web

import (
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

// about tells what the box's programs are made of.
func (s *server) about(w http.ResponseWriter, v *visit) {
	a := page.About{Reader: s.reader(v), Box: s.Name(), Licence: "Apache-2.0", Support: s.Settings.Current().Box.SupportUntil, Board: s.Board.Machine().Says}
	versions := map[string]string{} // of this program's libraries, as the linker wrote them down
	if info, ok := debug.ReadBuildInfo(); ok {
		a.Version, a.Go = info.Main.Version, info.GoVersion
		for _, x := range info.Settings {
			if x.Key == "vcs.revision" {
				a.Revision = x.Value[:min(len(x.Value), 12)]
			}
		}
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	known := licences()
	for _, path := range slices.Sorted(maps.Keys(known)) {
		a.Modules = append(a.Modules, page.Module{Path: path, Version: versions[path], Licence: known[path]})
	}
	html, err := s.pages[v.lang].About(a, time.Now())
	s.show(w, http.StatusOK, html, err)
}
