// Package debian says what the package for Debian and its kin is made of: programs, services, what is done when
// it is installed, upgraded, removed and purged.
package debian

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed files
var files embed.FS

// Programs lists the commands that the package holds.
func Programs() []string { return []string{"otad", "prontoctl", "prontod", "recordd"} }

// Services lists the units of systemd that the package holds. The first starts the others.
func Services() []string {
	return []string{"pronto.service", "prontod.service", "pronto-records.service", "pronto-updater.service"}
}

// Release is what one package differs from another by.
type Release struct {
	Version    string    // as Version makes it
	Release    string    // as the programs say it, and as releases are compared
	Arch       string    // a GOARCH that Debian calls the same: amd64, arm64
	Built      time.Time // the time of every file in it
	Maintainer string    // "Name <address>"
	Programs   map[string][]byte
	// Documents lie under /usr/share/pronto: the bill of materials, the licences.
	Documents map[string][]byte
	Example   []byte // a configuration with every field
}

// entry is one file, link or directory of the package, in nfpm's words.
type entry struct {
	Source string    `yaml:"src,omitempty"`
	At     string    `yaml:"dst"`
	Kind   string    `yaml:"type,omitempty"`
	Info   entryInfo `yaml:"file_info,omitempty"`
}

type entryInfo struct {
	Mode  os.FileMode `yaml:"mode,omitempty"`
	Owner string      `yaml:"owner,omitempty"`
	Group string      `yaml:"group,omitempty"`
	Time  time.Time   `yaml:"mtime,omitempty"`
}

// Write makes the package at path. root is where the source of Pronto lies, with the module file of nfpm.
func Write(ctx context.Context, root, path string, r Release) error {
	stage, err := os.MkdirTemp("", "deb-")
	if err != nil {
		return fmt.Errorf("debian: %w", err)
	}
	defer os.RemoveAll(stage)
	recipe, err := r.recipe(stage)
	if err != nil {
		return fmt.Errorf("debian: %w", err)
	}
	at := filepath.Join(stage, "nfpm.yaml")
	if err := os.WriteFile(at, recipe, 0o600); err != nil {
		return fmt.Errorf("debian: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return fmt.Errorf("debian: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile=images/nfpm.mod", "nfpm", "package", "-f", at, "-p", "deb", "-t", path)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOWORK=off", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.Built.Unix()))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("debian: nfpm: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// recipe lays everything into a directory and describes it for nfpm.
func (r Release) recipe(stage string) ([]byte, error) {
	if !releaseForm.MatchString(r.Release) {
		return nil, fmt.Errorf("%q is no name of a release", r.Release)
	}
	var all []entry
	var failed error
	add := func(at string, mode os.FileMode, b []byte) {
		source := filepath.Join(stage, fmt.Sprintf("%03d", len(all)))
		failed = errors.Join(failed, os.WriteFile(source, b, 0o600))
		all = append(all, entry{Source: source, At: at, Info: entryInfo{Mode: mode, Owner: "root", Group: "root", Time: r.Built.UTC()}})
	}
	for _, name := range Programs() {
		b, ok := r.Programs[name]
		if !ok {
			return nil, fmt.Errorf("program %s is missing", name)
		}
		add("/usr/lib/pronto/"+name, 0o755, b)
	}
	add("/usr/sbin/prontoctl", 0o755, file("prontoctl"))
	for _, name := range Services() {
		add("/usr/lib/systemd/system/"+name, 0o644, bytes.ReplaceAll(file(name), []byte(ofRelease), []byte(r.Release)))
	}
	add("/usr/lib/tmpfiles.d/pronto.conf", 0o644, file("tmpfiles.conf"))
	add("/usr/lib/udev/rules.d/45-pronto.rules", 0o644, file("udev.rules"))
	add("/usr/share/pronto/pronto.yaml", 0o644, file("pronto.yaml"))
	for _, name := range slices.Sorted(maps.Keys(r.Documents)) {
		add("/usr/share/pronto/"+name, 0o644, r.Documents[name])
	}
	add("/usr/share/doc/pronto/copyright", 0o644, file("copyright"))
	add("/usr/share/doc/pronto/changelog.gz", 0o644, pack(r.changelog()))
	add("/usr/share/doc/pronto/examples/office.yaml", 0o644, r.Example)
	add("/usr/share/man/man8/prontoctl.8.gz", 0o644, pack(file("prontoctl.8")))
	add("/usr/share/lintian/overrides/pronto", 0o644, file("lintian-overrides"))
	scripts := map[string]string{}
	for key, name := range map[string]string{"postinstall": "postinst", "preremove": "prerm", "postremove": "postrm"} {
		scripts[key] = filepath.Join(stage, name)
		failed = errors.Join(failed, os.WriteFile(scripts[key], file(name), 0o700))
	}
	if failed != nil {
		return nil, failed
	}
	return yaml.Marshal(map[string]any{
		"name": "pronto", "arch": r.Arch, "platform": "linux", "version": r.Version, "version_schema": "none",
		"section": "comm", "priority": "optional", "maintainer": r.Maintainer, "mtime": r.Built.UTC(), "disable_globbing": true,
		"description": description, "depends": []string{"adduser"}, "recommends": []string{"ca-certificates", "systemd"},
		"contents": all, "scripts": scripts,
	})
}

// ofRelease stands in the units for what Release.Release is.
const ofRelease = "@RELEASE@"

// releaseForm is what a release may be called: it becomes an argument in a unit.
var releaseForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+~_-]*$`)

const description = `telephone exchange with call queues
Pronto answers the telephone of a small business: phones, carriers and mobile
lines, menus and mailboxes, queues that can prove that they are fair, lamps on
desks, and a page in Italian and English on which all of it is set up.
.
Calls go on when the program crashes or is upgraded.`

func (r Release) changelog() []byte {
	return fmt.Appendf(nil, "pronto (%s) stable; urgency=medium\n\n  * CHANGELOG.md of the source says what is new.\n\n -- %s  %s\n",
		r.Version, r.Maintainer, r.Built.UTC().Format(time.RFC1123Z))
}

// pack compresses as Debian wants it: as small as can be, without a name or a time.
func pack(b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	_, _ = w.Write(b) // memory takes everything
	_ = w.Close()
	return out.Bytes()
}

func file(name string) []byte {
	b, err := files.ReadFile("files/" + name)
	if err != nil {
		panic(err) // it is compiled in
	}
	return b
}

// Version makes a version in Debian's grammar (deb-version(7)) of what `git describe` says; it grows with the
// number of commits after a release, and with time where there was none.
func Version(described string, built time.Time) string {
	v := strings.Map(func(c rune) rune {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '.', c == '+', c == '~':
			return c
		case c == '-':
			return '+'
		}
		return -1
	}, strings.TrimPrefix(described, "v"))
	if v != "" && v[0] >= '0' && v[0] <= '9' && strings.Contains(v, ".") {
		return v
	}
	return strings.TrimSuffix("0~"+built.UTC().Format("20060102150405")+"."+v, ".")
}
