package page

import (
	"html/template"
	"strings"

	"github.com/pronto-pbx/pronto/ui/access"
)

// section is one entry of the navigation: those of the house in their order, of which only those that exist
// are shown.
type section struct {
	Key, Path string // of its name, and where it is
	Right     access.Right
	shape     string
	under     []string // paths that belong to it
}

// sections are what the navigation can show.
func sections() []section {
	return []section{
		{"nav.home", "/", access.See, house, []string{"/waiting", "/agents", "/callbacks", "/missed"}},
		{"nav.calls", "/calls", access.Supervise, handset, nil},
		{"nav.desk", "/me", access.Work, headset, []string{"/phone"}},
		{"nav.queues", "/queues", access.Configure, rows, nil},
		{"nav.people", "/people", access.Configure, persons, nil},
		{"nav.lines", "/lines", access.Configure, plug, nil},
		{"nav.reports", "/reports", access.Supervise, chart, nil},
		{"nav.system", "/system", access.See, gear, []string{"/hours", "/menus", "/conferences", "/dispositions", "/messages", "/recording", "/users", "/security", "/setup", "/history", "/changes", "/about", "/codes", "/audit", "/backup", "/network", "/certificate", "/handover", "/erasures", "/traces", "/reset", "/lamps", "/buttons", "/signals", "/board", "/update"}},
	}
}

// Glyph is the section's picture.
func (s section) Glyph() template.HTML { return svg(s.shape) }

// here tells whether a path belongs to the section.
func (s section) here(path string) bool {
	if s.Path == path || s.Path != "/" && strings.HasPrefix(path, s.Path+"/") {
		return true
	}
	for _, u := range s.under {
		if path == u || strings.HasPrefix(path, u+"/") {
			return true
		}
	}
	return false
}

// Nav is what the reader may go to; nothing for who is not known.
func (r Reader) Nav() (all []Link) {
	if r.Name == "" {
		return nil
	}
	for _, s := range sections() {
		if r.Role.May(s.Right) && (s.Path != "/me" || !r.Role.May(access.Configure)) {
			all = append(all, Link{Key: s.Key, Path: s.Path, Glyph: s.Glyph(), Here: s.here(r.Path)})
		}
	}
	return all
}

// Link leads to another page.
type Link struct {
	Key   string // of its name; Key + ".help" is what one finds there
	Path  string
	Glyph template.HTML
	Here  bool // the reader is there
}

// System lists the pages of the box itself that the reader may see.
func (r Reader) System() (all []Link) {
	for _, l := range []struct {
		key, path string
		right     access.Right
	}{
		{"hours", "/hours", access.Configure},
		{"menus", "/menus", access.Configure},
		{"conferences", "/conferences", access.Supervise},
		{"messages", "/messages", access.Configure},
		{"dispositions", "/dispositions", access.Configure},
		{"recording", "/recording", access.Configure},
		{"lamps", "/lamps", access.Configure},
		{"setup", "/setup/1", access.Configure},
		{"history", "/history", access.Configure},
		{"network", "/network", access.Configure},
		{"board", "/board", access.Configure},
		{"update", "/update", access.Configure},
		{"backup", "/backup", access.Own},
		{"certificate", "/certificate", access.Own},
		{"security", "/security", access.Own},
		{"users", "/users", access.Own},
		{"erasures", "/erasures", access.Own},
		{"traces", "/traces", access.Own},
		{"codes", "/codes", access.See},
		{"handover", "/handover", access.Configure},
		{"about", "/about", access.See},
	} {
		if r.Role.May(l.right) {
			all = append(all, Link{Key: l.key, Path: l.path})
		}
	}
	return all
}

// The pictures of the navigation, on a grid of 16.
const (
	house   = `<path d="M8 1.5 1 8h2v6.5h4V10h2v4.5h4V8h2z"/>`
	handset = `<path d="M1.5 2.5 4 .8l2.6 3.6-1.7 1.8a9 9 0 0 0 4.9 4.9l1.8-1.7 3.6 2.6-1.7 2.5a2.5 2.5 0 0 1-2.7.9A16 16 0 0 1 .6 5.2a2.5 2.5 0 0 1 .9-2.7z"/>`
	headset = `<path d="M8 1.5A6.5 6.5 0 0 0 1.5 8v4A1.5 1.5 0 0 0 3 13.5h2V8H3a5 5 0 0 1 10 0h-2v5.5h1V15H8v-1H7v1.5h6.5V8A6.5 6.5 0 0 0 8 1.5z"/>`
	rows    = `<path d="M1 2.5h14v3H1zM1 6.8h10v3H1zM1 11h6v3H1z"/>`
	persons = `<circle cx="5.5" cy="5" r="3"/><path d="M0 14a5.5 5.5 0 0 1 11 0zM10.6 7.7a3 3 0 0 0 0-5.4 4.6 4.6 0 0 1 0 5.4zM12.5 14H16a5.5 5.5 0 0 0-4-5.3 7 7 0 0 1 .5 5.3z"/>`
	plug    = `<path d="M5 0h1.6v4H5zM9.4 0H11v4H9.4zM3.5 5h9v3.5A4.5 4.5 0 0 1 8.8 13V16H7.2v-3a4.5 4.5 0 0 1-3.7-4.5z"/>`
	chart   = `<path d="M1 14.5V13h14v1.5zM2 8h3v4H2zM6.5 4.5h3V12h-3zM11 1.5h3V12h-3z"/>`
	gear    = `<path d="M6.8 0h2.4l.4 2.2 1.3.6 1.9-1.3 1.7 1.7-1.3 1.9.6 1.3 2.2.4v2.4l-2.2.4-.6 1.3 1.3 1.9-1.7 1.7-1.9-1.3-1.3.6-.4 2.2H6.8l-.4-2.2-1.3-.6-1.9 1.3-1.7-1.7 1.3-1.9-.6-1.3L0 9.2V6.8l2.2-.4.6-1.3-1.3-1.9 1.7-1.7 1.9 1.3 1.3-.6zM8 5.3a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4z" fill-rule="evenodd"/>`
)
