package backup

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pronto-pbx/pronto/firmware/erasure"
)

// Chapter is a part of the state that can be restored alone.
type Chapter string

// The chapters of a backup.
const (
	Configuration Chapter = "config"     // the configuration, with its earlier versions
	People        Chapter = "people"     // who may use the page, and what people set at their phones
	Voicemail     Chapter = "voicemail"  // messages, greetings and recorded prompts
	Queues        Chapter = "queues"     // callbacks, missed callers, what waits are forecast from
	Costs         Chapter = "costs"      // counters of the toll guard, credit and PINs of SIM cards
	Texts         Chapter = "texts"      // short messages
	Recordings    Chapter = "recordings" // of conversations, where the owner wants them
	Records       Chapter = "records"    // finished calls, and the history that is not among them yet
)

// Source is where a box keeps its state.
type Source struct {
	Dir     string // the state: "var"
	Config  string // the configuration's file, in Dir or elsewhere
	Records string // the directory of the finished records; default "records" in Dir
}

// configName is the configuration's file inside of a backup.
const configName = "pronto.yaml"

// recordsName is the directory of the finished records inside of a backup.
const recordsName = "records"

// root is a file or folder below Source.Dir that belongs to a chapter, and is replaced whole.
type root struct {
	chapter Chapter
	path    string
	only    string // the part of it that is copied; empty: all
	except  string // and the part that is not
}

// roots are listed in the order in which a restore puts them in place.
var roots = []root{
	{chapter: Configuration, path: configName},
	{chapter: Configuration, path: "config"},
	{chapter: People, path: "access.json"},
	{chapter: People, path: "personal.json"},
	{chapter: Voicemail, path: "voicemail", except: "voicemail/spool"},
	{chapter: Queues, path: "ledger.json"},
	{chapter: Queues, path: "memories.json"},
	{chapter: Queues, path: "forecast.json"},
	{chapter: Costs, path: "toll.json"},
	{chapter: Costs, path: "credit.json"},
	{chapter: Costs, path: "pins"},
	{chapter: Texts, path: "sms.json"},
	// A backup without recordings takes none from the box.
	{chapter: Recordings, path: recordingsName},
	{chapter: Records, path: "history"},
	// Who used the page: what this box knows of it stays, whatever is restored.
	{chapter: Records, path: "audit.jsonl.0"},
	{chapter: Records, path: "audit.jsonl.1"},
	{chapter: Records, path: "audit.jsonl"},
	// Of the records their own verified backup is copied: the files of a database in use fit together only
	// for the process that has it open. A database that is missing is made from it.
	{chapter: Records, path: recordsName, only: "records/backups"},
	// Whatever is restored is older than what people have asked to be forgotten since: the list of a backup joins the
	// box's own, whichever parts are wanted. Last, so that nothing is put in place behind it.
	{chapter: Records, path: erasure.File},
}

// Chapters lists every chapter.
func Chapters() []Chapter {
	var all []Chapter
	for _, r := range roots {
		if !slices.Contains(all, r.chapter) {
			all = append(all, r.chapter)
		}
	}
	return all
}

// ParseChapters reads a list such as "config,voicemail"; empty means all.
func ParseChapters(list string) ([]Chapter, error) {
	if strings.TrimSpace(list) == "" {
		return Chapters(), nil
	}
	var some []Chapter
	var errs []error
	for name := range strings.SplitSeq(list, ",") {
		c := Chapter(strings.TrimSpace(name))
		if !slices.Contains(Chapters(), c) {
			errs = append(errs, fmt.Errorf("%q is no part of a backup; the parts are %v", c, Chapters()))
			continue
		}
		some = append(some, c)
	}
	return some, errors.Join(errs...)
}

// owner finds the root that a file of a backup belongs to; ok is false for one that belongs nowhere.
func owner(name string) (r root, ok bool) {
	if !filepath.IsLocal(name) || name != filepath.ToSlash(filepath.Clean(name)) {
		return r, false
	}
	i := slices.IndexFunc(roots, func(r root) bool { return r.holds(name) })
	if i < 0 {
		return r, false
	}
	return roots[i], true
}

func (r root) holds(name string) bool {
	return within(name, r.path) && (r.only == "" || within(name, r.only)) && (r.except == "" || !within(name, r.except))
}

func within(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }

// at is where a root lies on this box.
func (s Source) at(path string) string {
	switch {
	case path == configName:
		return s.Config
	case path == recordsName && s.Records != "":
		return s.Records
	}
	return filepath.Join(s.Dir, filepath.FromSlash(path))
}
