package appliance

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// cipher is that of recordings.
const cipher = "golang.org/x/crypto/chacha20poly1305"

const module = "github.com/pronto-pbx/pronto/"

// pkg is what `go list -json` tells of one package.
type pkg struct {
	ImportPath                string
	Imports                   []string
	TestImports, XTestImports []string
	Deps                      []string
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		for i, im := range p.Imports {
			p.Imports[i] = strings.TrimPrefix(im, module)
		}
		all = append(all, p)
	}
	if len(all) < 5 {
		t.Fatalf("go list found only %d packages: the rules would prove nothing", len(all))
	}
	return all
}

// in reports whether path is one of the trees or inside one.
func in(path string, trees ...string) bool {
	return slices.ContainsFunc(trees, func(t string) bool {
		return path == t || strings.HasPrefix(path, strings.TrimSuffix(t, "/")+"/")
	})
}

func isStd(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	switch first {
	case "firmware", "drivers", "ui", "ota", "board", "images", "cmd":
		return false
	}
	return !strings.Contains(first, ".")
}

// pure lists the packages that decide without touching the world.
var pure = []string{
	"firmware/config", "firmware/dialplan", "firmware/toll", "firmware/acd/plan", "firmware/acd/forecast", "firmware/acd/replay", "firmware/acd/books", "firmware/report", "firmware/report/staffing", "firmware/report/queuelog", "firmware/conference", "firmware/outbound/permit",
	"firmware/sip/digest", "firmware/media/codec", "firmware/media/codec/opus", "firmware/media/dsp", "firmware/media/sdp",
	"firmware/lamp", "firmware/lamp/eye", "firmware/media/master", "firmware/media/mix", "firmware/media/jitter", "firmware/media/quality", "firmware/ivr", "firmware/ivr/spoken", "ota/slot", "ota/rollout", "ota/release", "ota/fit",
}

// rules: each returns why importing im from p is wrong, or "".
var rules = []struct {
	name string
	bad  func(p, im string) bool
}{
	{"tel imports only the standard library", func(p, im string) bool {
		return p == "firmware/tel" && !isStd(im)
	}},
	{"pure packages never touch net, os or log/slog", func(p, im string) bool {
		return slices.Contains(pure, p) && (im == "net" || im == "os" || im == "log/slog" || in(im, "net/http", "os/exec"))
	}},
	{"firmware never imports the outer rooms", func(p, im string) bool {
		return in(p, "firmware") && !in(p, "firmware/appliance") && in(im, "drivers", "ui", "ota", "board", "images", "cmd")
	}},
	{"only cmd imports appliance", func(p, im string) bool {
		return in(im, "firmware/appliance") && !in(p, "cmd", "firmware/appliance")
	}},
	{"drivers import only the ports and the pure audio packages", func(p, im string) bool {
		return in(p, "drivers") && !isStd(im) && !strings.Contains(im, ".") &&
			!in(im, "firmware/tel", "firmware/line", "firmware/lamp", "firmware/media/dsp", "firmware/media/codec", "drivers")
	}},
	{"ui imports the vocabulary, config, the read models and what boards are", func(p, im string) bool {
		return in(p, "ui") && !isStd(im) && !strings.Contains(im, ".") &&
			!in(im, "firmware/tel", "firmware/config", "firmware/feed", "firmware/health", "firmware/report", "ui") && im != "firmware/store" && im != "board/model"
	}},
	{"what boards are is data alone", func(p, im string) bool {
		return p == "board/model" && (!isStd(im) || in(im, "os", "net", "log"))
	}},
	{"ota imports nothing of firmware", func(p, im string) bool {
		return in(p, "ota") && in(im, "firmware")
	}},
	{"only programs know the updater", func(p, im string) bool {
		return in(im, "ota") && !in(p, "ota", "cmd")
	}},
	{"what is signed is judged only in ota/trust, and made in ota/repository", func(p, im string) bool {
		return in(im, "github.com/theupdateframework", "github.com/sigstore") && !in(p, "ota/trust", "ota/repository")
	}},
	{"sipgo/sip only under firmware/sip and the test peers", func(p, im string) bool {
		return im == "github.com/emiago/sipgo/sip" && !in(p, "firmware/sip", "firmware/pbxtest", "cmd/linelab")
	}},
	{"sipgo's server, client and dialogs nowhere", func(_, im string) bool {
		return in(im, "github.com/emiago/sipgo") && im != "github.com/emiago/sipgo/sip"
	}},
	{"pion only under firmware/media and the test peers", func(p, im string) bool {
		return in(im, "github.com/pion") && !in(p, "firmware/media", "firmware/pbxtest", "cmd/linelab")
	}},
	{"hardware modules only in drivers and board", func(p, im string) bool {
		return in(im, "github.com/warthog618", "go.bug.st", "periph.io") && !in(p, "drivers", "board")
	}},
	{"MP3 is read only where announcements are made", func(p, im string) bool {
		return in(im, "github.com/hajimehoshi") && p != "firmware/media/master"
	}},
	{"Opus is spoken only by media/codec/opus, which contains its faults", func(p, im string) bool {
		return in(im, "github.com/thesyncim") && p != "firmware/media/codec/opus"
	}},
	{"html/template only in ui and the lab", func(p, im string) bool {
		return im == "html/template" && !in(p, "ui", "cmd/linelab")
	}},
	{"Badger only in store/badgerstore", func(p, im string) bool {
		return in(im, "github.com/dgraph-io") && p != "firmware/store/badgerstore"
	}},
	{"badgerstore only in recordd and its body", func(p, im string) bool {
		return in(im, "firmware/store/badgerstore", "firmware/store/recorder") && !in(p, "cmd/recordd", "firmware/store/recorder")
	}},
	{"PDF only in ui/handover", func(p, im string) bool {
		return in(im, "github.com/go-pdf", "golang.org/x/image") && p != "ui/handover"
	}},
	{"call and acd do not know each other", func(p, im string) bool {
		return (in(p, "firmware/call") && in(im, "firmware/acd")) || (in(p, "firmware/acd") && in(im, "firmware/call"))
	}},
	{"passwords and one-time codes only in ui/access", func(p, im string) bool {
		return in(im, "golang.org/x/crypto", "github.com/pquerna") && !in(p, "ui/access") && !in(im, "golang.org/x/crypto/x509roots") && im != cipher
	}},
	{"authorities only in certificate/authorities, which programs alone install", func(p, im string) bool {
		return in(im, "golang.org/x/crypto/x509roots") && p != "firmware/certificate/authorities" || im == "firmware/certificate/authorities" && !in(p, "cmd")
	}},
	{"conversations are sealed only in record/tape", func(p, im string) bool {
		return im == cipher && p != "firmware/record/tape"
	}},
	{"board imports of firmware only how a file is kept", func(p, im string) bool {
		return in(p, "board") && in(im, "firmware", "drivers", "ui", "ota", "cmd") && im != "firmware/statefile" && im != "firmware/durable"
	}},
	{"images import only images", func(p, im string) bool {
		return in(p, "images") && in(im, "firmware", "drivers", "ui", "ota", "board", "cmd")
	}},
	{"only the first program of a box opens the watchdog", func(p, im string) bool {
		return im == "board/watchdog" && p != "cmd/prontoinit"
	}},
	{"what a program may do is decided only in board/confine", func(p, im string) bool {
		return in(im, "github.com/elastic/go-seccomp-bpf", "github.com/landlock-lsm") && p != "board/confine"
	}},
	{"what reaches a box is decided only in board/firewall", func(p, im string) bool {
		return in(im, "github.com/google/nftables") && p != "board/firewall" || im == "board/firewall" && p != "cmd/prontoinit"
	}},
	{"interfaces and addresses are set only in board/network", func(p, im string) bool {
		return in(im, "github.com/vishvananda", "github.com/insomniacslk", "github.com/mdlayher") && p != "board/network"
	}},
	{"the judges use nothing that they judge", func(p, im string) bool {
		return in(p, "firmware/pbxtest", "cmd/linelab") && in(im, "firmware/sip/dialog", "firmware/call", "firmware/media")
	}},
}

func TestImportRules(t *testing.T) {
	packages := listPackages(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, p := range packages {
				for _, im := range p.Imports {
					if r.bad(p.ImportPath, im) {
						t.Errorf("%s imports %s", p.ImportPath, im)
					}
				}
			}
		})
	}
}

// A rule that nothing can break proves nothing: each must refuse at least one import.
func TestEveryImportRuleCanFail(t *testing.T) {
	offences := [][2]string{
		{"firmware/tel", "go.uber.org/x"},
		{"firmware/config", "os"},
		{"firmware/acd", "drivers/gsm"},
		{"ui/web", "firmware/appliance"},
		{"drivers/gsm", "firmware/call"},
		{"ui/web", "firmware/acd"},
		{"board/model", "os"},
		{"ota/slot", "firmware/tel"},
		{"firmware/appliance", "ota/fit"},
		{"cmd/prontod", "github.com/theupdateframework/go-tuf/v2/metadata"},
		{"ui/web", "github.com/emiago/sipgo/sip"},
		{"firmware/sip/stack", "github.com/emiago/sipgo"},
		{"ui/web", "github.com/pion/rtp"},
		{"firmware/line", "go.bug.st/serial"},
		{"ui/web", "github.com/hajimehoshi/go-mp3"},
		{"ui/web", "github.com/thesyncim/gopus"},
		{"firmware/call", "html/template"},
		{"firmware/store", "github.com/dgraph-io/badger/v4"},
		{"cmd/prontod", "firmware/store/badgerstore"},
		{"ui/web", "github.com/go-pdf/fpdf"},
		{"firmware/call", "firmware/acd"},
		{"ui/web", "golang.org/x/crypto/argon2"},
		{"firmware/sip/stack", "firmware/certificate/authorities"},
		{"firmware/media", cipher},
		{"board/disk", "firmware/appliance"},
		{"images/card", "firmware/statefile"},
		{"cmd/prontod", "board/watchdog"},
		{"cmd/prontod", "github.com/landlock-lsm/go-landlock/landlock"},
		{"firmware/appliance", "board/firewall"},
		{"firmware/sip/stack", "github.com/vishvananda/netlink"},
		{"firmware/pbxtest", "firmware/call"},
	}
	for i, r := range rules {
		if o := offences[i]; !r.bad(o[0], o[1]) {
			t.Errorf("rule %q lets %s import %s", r.name, o[0], o[1])
		}
	}
}

func TestProntodLinksNoBadger(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.ImportPath != "cmd/prontod" {
			continue
		}
		for _, d := range p.Deps {
			if strings.Contains(d, "dgraph-io") {
				t.Errorf("cmd/prontod links %s: a full disk would end calls", d)
			}
		}
		return
	}
	t.Fatal("cmd/prontod not found")
}
