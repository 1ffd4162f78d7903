package appliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"filippo.io/age"

	"github.com/pronto-pbx/pronto/firmware/acd/plan"
	"github.com/pronto-pbx/pronto/firmware/acd/replay"
	"github.com/pronto-pbx/pronto/firmware/backup"
	"github.com/pronto-pbx/pronto/firmware/cdr"
	"github.com/pronto-pbx/pronto/firmware/erasure"
	"github.com/pronto-pbx/pronto/firmware/journal"
	"github.com/pronto-pbx/pronto/firmware/line"
	"github.com/pronto-pbx/pronto/firmware/media/wav"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/record/tape"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/firmware/voicemail"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/settings"
)

const mailboxShop = shop + `
voicemail: {boxes: [{number: "201", pin: "90210"}]}
`

// person is somebody who calls, and what the box has of him.
type person struct {
	number       tel.Number
	name         string
	tapes, texts []string
}

var (
	rossi   = person{"+390612345678", "Mario Rossi", []string{"rossi1", "rossi2"}, []string{"sono io"}}
	bianchi = person{"+390698765432", "Luisa Bianchi", []string{"bianchi1"}, []string{"chiamatemi"}}
)

// calls has the box keep something of a person in every room; the last recording is held.
func (b *bench) calls(p person) {
	b.t.Helper()
	must := func(what string, err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatalf("%s: %v", what, err)
		}
	}
	now := time.Now().UTC()
	id := tel.CallID("c" + p.tapes[0])
	lost, owed := id+"lost", tel.CallbackID("cb"+p.tapes[0])
	b.box.publish(tel.QueueJoined{Queue: "sales", Call: lost, Caller: p.number, Name: p.name, At: now})
	b.box.publish(tel.QueueLeft{Queue: "sales", Call: lost, Caller: p.number, Joined: now.Add(-time.Minute), Left: now, Outcome: tel.OutcomeAbandoned})
	ended := tel.CallEnded{Call: id, Direction: tel.Inbound, From: p.number, To: "400", In: "trunk:tim", Started: now.Add(-time.Minute), Ended: now}
	for _, t := range p.tapes {
		f, err := b.box.taping.archive.Begin(tape.About{ID: t, Chain: t, Call: string(id), Began: now, Tracks: []tape.Track{{Leg: "l", Party: "trunk:tim"}}})
		must("record", err)
		must("record", f.End(tape.End{Length: 8000, Why: "call_ended"}))
		ended.Recordings = append(ended.Recordings, tel.Recorded{ID: t, Chain: t})
	}
	must("hold", b.box.taping.archive.Hold(p.tapes[len(p.tapes)-1], "anna", true))
	b.box.publish(ended)
	wish := tel.CallbackChanged{
		Callback: owed, Queue: "sales", State: tel.CallbackWaiting, Number: p.number, Name: p.name, EnqueuedAt: now, Asked: now,
		Promise: now.Add(time.Hour), Expires: now.Add(2 * time.Hour),
	}
	must("recall", b.box.queues.Recall(b.t.Context(), []tel.CallbackChanged{wish}, []plan.Memory{{
		Caller: p.number, Agent: "anna", Served: now, Until: now.Add(time.Hour), Lost: &plan.Place{Queue: "sales", EnqueuedAt: now, LeftAt: now},
	}}))
	h, err := wav.NewHeader(wav.Format{Encoding: wav.PCM16, Channels: 1, Rate: 8000}, 32000)
	must("speak", err)
	name := "message_" + string(id) + "_1"
	must("speak", os.WriteFile(filepath.Join(b.box.voicemail.SpoolDir(), name+".wav"), append(h[:], make([]byte, 32000)...), 0o600))
	must("deliver", b.box.voicemail.Deliver(name, voicemail.Message{Box: "201", Call: id, From: p.number, Name: p.name, At: now}, time.Second))
	for i, text := range p.texts {
		done := make(chan error, 1)
		b.box.texts.office.Accept(line.ReceivedPart{Line: "gsm0", Kind: line.TextPart, Raw: fmt.Sprint(p.name, i), From: string(p.number), Text: utf16.Encode([]rune(text)), Parts: 1, Part: 1, Sent: now}, func(err error) { done <- err })
		must("text", <-done)
	}
	b.box.noteAccess(access.Note{At: now, What: access.DeedDismissed, User: "anna", Whom: string(p.number)})
}

// filed are the files of the state in which something of a person stands. What is of calls that are up now, in memory,
// is not looked at.
func filed(t *testing.T, dir string, p person) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // replaced this moment
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "run" {
				return filepath.SkipDir
			}
			return nil
		}
		body, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, word := range append([]string{string(p.number[1:]), string(p.number.National()), p.name}, p.texts...) {
			if bytes.Contains(body, []byte(word)) {
				rel, _ := filepath.Rel(dir, path)
				files = append(files, rel)
				break
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// everywhere waits until all rooms have written down what they have of a person.
func (b *bench) everywhere(p person) {
	b.t.Helper()
	b.eventually("everything of "+p.name+" is on the disk", func() bool {
		if !standsIn(filed(b.t, b.box.opts.Dir, p), rooms...) {
			return false
		}
		// What he is owed is told apart from what he has missed.
		owed, err := os.ReadFile(filepath.Join(b.box.opts.Dir, "ledger.json"))
		if err != nil || !bytes.Contains(owed, []byte(`"cb`+p.tapes[0]+`"`)) || !bytes.Contains(owed, []byte(`"rows":`)) {
			return false
		}
		return strings.Count(b.history(), `"sms_received"`) == 2 // of both
	})
}

// history is what the journal of finished records says of calls and waits, without whose they are.
func (b *bench) history() string {
	b.t.Helper()
	var all []string
	err := b.box.history.Read(0, func(r journal.Record) error {
		e, err := cdr.Decode(r.Kind, r.Body)
		if err != nil {
			return err
		}
		switch e := e.(type) {
		case tel.CallEnded:
			all = append(all, fmt.Sprint(e.Call, e.Started, e.Ended))
		case tel.QueueLeft:
			all = append(all, fmt.Sprint(e.Queue, e.Joined, e.Left, e.Outcome))
		case tel.SMSReceived:
			all = append(all, `"sms_received"`)
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

// tells is the last record of the history in which something of a person stands.
func (b *bench) tells(p person) (last string) {
	_ = b.box.history.Read(0, func(r journal.Record) error {
		if bytes.Contains(r.Body, []byte(p.number[1:])) {
			last = fmt.Sprintf("%d %s %s %s", r.Pos, r.Wall, r.Kind, r.Body)
		}
		return nil
	})
	return last
}

// packed counts the states of the queues in the history of before this process.
func (b *bench) packed() (n int) {
	b.t.Helper()
	err := b.box.history.Read(0, func(r journal.Record) error {
		if _, is := replay.Forget(r.Kind, r.Body); is && r.Wall.Before(b.box.erasures.began) {
			n++
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// kept are the recordings that there are.
func (b *bench) kept() (ids []string) {
	for _, r := range b.box.taping.archive.List(func(record.Recording) bool { return true }) {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

// rooms are the files in which a person stands whom every room knows.
var rooms = []string{"ledger.json", "memories.json", "sms.json", "voicemail/box/201/", "history/", "audit.jsonl"}

// standsIn tells whether a person stands in all that is written at once; the rest is written now and then.
func standsIn(files []string, where ...string) bool {
	all := strings.Join(files, " ")
	return !slices.ContainsFunc(where, func(want string) bool { return !strings.Contains(all, want) })
}

// forgotten judges that nothing of rossi is left but what is held, and of bianchi everything.
func (b *bench) forgotten(recordings ...string) {
	b.t.Helper()
	dir := b.box.opts.Dir
	if files := filed(b.t, dir, rossi); len(files) > 0 {
		b.t.Errorf("something of him is in %q, such as %s", files, b.tells(rossi))
	}
	if n := b.packed(); n > 0 {
		b.t.Errorf("%d states are packed, in which nobody can look for him", n)
	}
	if ids := b.kept(); !slices.Equal(ids, recordings) {
		b.t.Errorf("recordings %q, want %q", ids, recordings)
	}
	if rep, err := b.box.taping.archive.Verify(b.t.Context()); err != nil || len(rep.Wrong) > 0 {
		b.t.Errorf("the chain of recordings: %q, %v", rep.Wrong, err)
	}
	for _, c := range b.box.ledger.Missed() {
		if c.Number == rossi.number {
			b.t.Error("he is on the list of missed callers")
		}
	}
	if all, err := b.box.callbacks(b.t.Context()); err != nil || len(all) != 1 || all[0].Number != bianchi.number {
		b.t.Errorf("callbacks %+v, %v", all, err)
	}
	if files := filed(b.t, dir, bianchi); !standsIn(files, "sms.json", "voicemail/box/201/", "history/") {
		b.t.Errorf("of somebody else there is something in %q only", files)
	}
}

// copyOf is a backup of a box's state as it is now, with its key.
func copyOf(t *testing.T, dir string) (*age.X25519Identity, []byte) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	s := backup.Source{Dir: dir, Config: filepath.Join(t.TempDir(), "pronto.yaml")}
	if err := os.WriteFile(s.Config, []byte("backup: {recordings: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := backup.Write(t.Context(), &file, s, backup.Manifest{Name: "Bottega"}, key.Recipient()); err != nil {
		t.Fatal(err)
	}
	return key, file.Bytes()
}

// restoredAt puts a backup into a directory where no box runs yet.
func restoredAt(t *testing.T, dir string, file []byte, key age.Identity) {
	t.Helper()
	s := backup.Source{Dir: dir, Config: filepath.Join(dir, "..", "pronto.yaml")}
	parts := []backup.Chapter{backup.Voicemail, backup.Queues, backup.Texts, backup.Recordings, backup.Records}
	if _, err := backup.Stage(s, bytes.NewReader(file), backup.Choice{Chapters: parts}, key); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Apply(s); err != nil {
		t.Fatal(err)
	}
}

// office runs a box whose directory was prepared, and ends it with the test's part.
func office(t *testing.T, prepare func(dir string), do func(*bench)) {
	t.Helper()
	t.Run("box", func(t *testing.T) {
		do(startWith(t, mailboxShop, func(o *Options) { prepare(o.Dir) }, func(*Box) {}))
	})
}

// officeOfTwo is a backup of an office that has something of both in every room, and its history.
func officeOfTwo(t *testing.T, then func(*bench)) (key age.Identity, file []byte, history string) {
	t.Helper()
	office(t, func(string) {}, func(b *bench) {
		b.calls(rossi)
		b.calls(bianchi)
		b.everywhere(rossi)
		b.everywhere(bianchi)
		key, file = copyOf(b.t, b.box.opts.Dir)
		history = b.history()
		then(b)
	})
	return key, file, history
}

func TestWhoIsForgottenIsNowhereNeitherNowNorAfterAnOlderBackup(t *testing.T) {
	var own []byte
	key, file, before := officeOfTwo(t, func(b *bench) {
		was := b.history()
		refused, err := b.box.erase(b.t.Context(), "0612345678", "lettera", settings.By{User: "anna", From: "192.168.1.20"})
		if err != nil || refused.Sentence != "" {
			b.t.Fatalf("%+v, %v", refused, err)
		}
		b.forgotten("bianchi1", "rossi2")
		if after := b.history(); after != was {
			b.t.Errorf("the history was\n%s\nand is\n%s", was, after)
		}
		e := b.box.erasures.register.All()[0]
		if e.Open || e.By != "anna" || e.Why != "lettera" || e.Erased.Records == 0 || e.Erased.Recordings != 1 || e.Erased.Held != 1 || e.Erased.Messages != 1 || e.Erased.Texts != 1 || e.Erased.Callbacks == 0 {
			b.t.Errorf("the register says %+v", e)
		}
		if deeds := b.deeds(); !slices.Contains(deeds, "person_erased "+string(e.Alias)+" by anna") {
			b.t.Errorf("written down: %q", deeds)
		}
		if own, err = os.ReadFile(filepath.Join(b.box.opts.Dir, erasure.File)); err != nil {
			b.t.Fatal(err)
		}
		b.calls(person{rossi.number, "di nuovo io", []string{"again1", "again2"}, []string{"eccomi"}})
		b.eventually("who calls anew is a caller like others", func() bool {
			return standsIn(filed(b.t, b.box.opts.Dir, rossi), "sms.json", "voicemail/box/201/", "history/")
		})
	})
	restored := func(dir string) {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, erasure.File), own, 0o600)); err != nil {
			t.Fatal(err)
		}
		restoredAt(t, dir, file, key)
		if files := filed(t, dir, rossi); !standsIn(files, "ledger.json", "sms.json", "voicemail/box/201/", "history/", "audit.jsonl") {
			t.Errorf("the backup has something of him in %q only: little is shown", files)
		}
	}
	office(t, restored, func(b *bench) {
		<-b.box.erasures.gone             // as the page does
		b.forgotten("bianchi1", "rossi2") // who is held came back with the others
		if after := b.history(); after != before {
			b.t.Errorf("after the restore the history is\n%s\nand was\n%s", after, before)
		}
	})
}

func TestAnErasureThatWasCutShortIsCompletedAtTheNextStart(t *testing.T) {
	key, file, _ := officeOfTwo(t, func(*bench) {})
	cut := func(dir string) {
		restoredAt(t, dir, file, key)
		r, err := erasure.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		e, err := erasure.New(rossi.number, "anna", "", "lettera", time.Now())
		if err = errors.Join(err, r.Add(e)); err != nil { // and the process dies
			t.Fatal(err)
		}
	}
	office(t, cut, func(b *bench) {
		<-b.box.erasures.gone
		b.forgotten("bianchi1", "rossi2")
		if l := b.box.erasures.register.All(); len(l.Open()) > 0 || l[0].Until.IsZero() {
			b.t.Errorf("%+v", l)
		}
	})
}

func TestWithoutTheRecordsNobodyIsForgottenByHalf(t *testing.T) {
	b := startWith(t, mailboxShop, func(o *Options) { o.Record = filepath.Join(o.Dir, "nobody-answers") }, func(*Box) {})
	refused, err := b.box.erase(context.Background(), rossi.number, "lettera", settings.By{})
	if err != nil || refused.Sentence != "erasures.away" || len(b.box.erasures.register.All()) > 0 {
		t.Errorf("%+v, %v", refused, err)
	}
	if _, refused := b.box.lookAtPerson(t.Context(), rossi.number); refused.Sentence != "erasures.away" {
		t.Errorf("a look: %+v", refused)
	}
	for _, n := range []tel.Number{"201", "112", ""} {
		if refused, _ := b.box.erase(t.Context(), n, "lettera", settings.By{}); refused.Sentence != "erasures.number" {
			t.Errorf("%q: %+v", n, refused)
		}
	}
}
