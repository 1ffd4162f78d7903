package web

import (
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/pronto-pbx/pronto/ui/page"
)

// licences are those of the libraries in the programs of a box, by module, as SPDX names them. A test compares
// them with what the programs are made of.
func licences() map[string]string {
	return map[string]string{
		"github.com/boombuler/barcode":      "MIT",
		"github.com/cespare/xxhash/v2":      "MIT",
		"github.com/dgraph-io/badger/v4":    "Apache-2.0",
		"github.com/dgraph-io/ristretto/v2": "Apache-2.0",
		"github.com/dustin/go-humanize":     "MIT",
		"github.com/emiago/sipgo":           "BSD-2-Clause",
		"github.com/go-logr/logr":           "Apache-2.0",
		"github.com/go-logr/stdr":           "Apache-2.0",
		"github.com/gobwas/httphead":        "MIT",
		"github.com/gobwas/pool":            "MIT",
		"github.com/gobwas/ws":              "MIT",
		"github.com/google/flatbuffers":     "Apache-2.0",
		"github.com/google/uuid":            "BSD-3-Clause",
		"github.com/klauspost/compress":     "BSD-3-Clause AND Apache-2.0 AND MIT",
		"github.com/pion/logging":           "MIT",
		"github.com/pion/randutil":          "MIT",
		"github.com/pion/rtcp":              "MIT",
		"github.com/pion/rtp":               "MIT",
		"github.com/pion/srtp/v3":           "MIT",
		"github.com/pion/transport/v5":      "MIT",
		"github.com/pquerna/otp":            "Apache-2.0",
		"github.com/warthog618/go-gpiocdev": "MIT",
		"github.com/warthog618/sms":         "MIT",
		"go.bug.st/serial":                  "BSD-3-Clause",
		"go.opentelemetry.io/auto/sdk":      "Apache-2.0",
		"go.opentelemetry.io/otel":          "Apache-2.0 AND BSD-3-Clause",
		"go.opentelemetry.io/otel/metric":   "Apache-2.0 AND BSD-3-Clause",
		"go.opentelemetry.io/otel/trace":    "Apache-2.0 AND BSD-3-Clause",
		"go.yaml.in/yaml/v3":                "MIT AND Apache-2.0",
		"golang.org/x/crypto":               "BSD-3-Clause",
		"golang.org/x/net":                  "BSD-3-Clause",
		"golang.org/x/sync":                 "BSD-3-Clause",
		"golang.org/x/sys":                  "BSD-3-Clause",
		"google.golang.org/protobuf":        "BSD-3-Clause",
		"periph.io/x/conn/v3":               "Apache-2.0",
		"periph.io/x/host/v3":               "Apache-2.0",
	}
}

// about tells what the box's programs are made of.
func (s *server) about(w http.ResponseWriter, v *visit) {
	a := page.About{Reader: s.reader(v), Box: s.Name(), Support: s.Settings.Current().Box.SupportUntil}
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
