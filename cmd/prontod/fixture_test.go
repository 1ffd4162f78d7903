package main_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ota/release"
)

var (
	fixture   = flag.String("fixture", "", "keep an office of this version, in testdata/versions")
	fixtureOf = flag.String("fixture.commit", "HEAD", "the commit whose programs make it")
)

// What a fixture consists of: the state of an office when nothing ran, with its configuration; a backup of it made
// while it ran, and the recovery kit that opens the backup; what the office knew; and the commit of the programs.
const (
	stateFile  = "state.tar.gz"
	backupFile = "backup.age"
	kitFile    = "kit"
	factsFile  = "facts.json"
	commitFile = "commit"

	versionsDir = "testdata/versions"
)

// keptVersions are the versions of which a fixture is kept, oldest first. That there is none is a failure.
func keptVersions(t *testing.T) []string {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(versionsDir, "v*"))
	if err != nil || len(kept) == 0 {
		t.Fatalf("no fixture is kept in %s: nothing is proved; make fixtures VERSION=... keeps one: %v", versionsDir, err)
	}
	for i := range kept {
		kept[i] = filepath.Base(kept[i])
	}
	slices.SortFunc(kept, func(a, b string) int {
		v, err := release.ParseVersion(a)
		w, err2 := release.ParseVersion(b)
		if err = errors.Join(err, err2); err != nil {
			t.Fatalf("%s: %v", versionsDir, err)
		}
		return v.Compare(w)
	})
	return kept
}

// fixtureSetup is an office that uses all of the house: bruno's mailbox, anna's queue and a conference room on three
// numbers of the carrier, a modem, recordings, callbacks and a certificate.
func fixtureSetup() pbxtest.Setup {
	return pbxtest.Setup{
		Agents: 2, LoggedIn: 1, Carrier: 5070, TLS: true, Modem: true, Numbers: `"+390612345679": "ext:202", "+390612345680": "conference:hall"`,
		Routes: `{prefix: "+39333", via: ["trunk:carrier"]}`,
		Calls:  person(202, `ring: 5s, forward: {busy: "voicemail:202"}`),
		Queue:  `waiting: {short: 1s, callback: {key: "1", after: 10s, gap: 30s, expire: 168h}}, distribution: {sticky: 168h}`,
		Extra: `voicemail: {boxes: [{number: "202", pin: "90210", own_phone: true}]}
conferences: [{id: hall, name: Hall, number: "88", pin: "2468"}]
recording: {notice: false, purposes: [{id: quality, name: Quality, days: 3650, basis: interest}], rules: [{id: sales, record: always, purpose: quality, queues: [sales]}]}
missed_callers: {keep: 8760h}
`,
	}
}

// Who calls while a fixture is made, beside the owner of mobileNumber.
const (
	missedNumber = "+390298765432" // gives up
	owedNumber   = "+393337654321" // wants to be called back
	erasedNumber = "+390298760000" // gives up, and wants to be forgotten
)

// How many records a fixture's office has: of the calls of all of them, of bruno's message, of two in a conference,
// of a code, and of who is owed a call.
const (
	fixtureCalls = 8
	fixtureWaits = 4
)

// makeFixture lets an office live for a while and keeps what it leaves. The office ends with the test.
func makeFixture(t *testing.T, programs, to string) {
	setup := fixtureSetup()
	setup.Programs = programs
	setup.After = func(dir string) { pack(t, dir, filepath.Join(to, stateFile)) }
	o := bench.Start(t, setup)
	m := modem(t, o)
	v := o.SignIn("agent201")
	v.Owner()
	v.Does("/queues/sales", url.Values{"ring": {"25"}, "was-ring": {"15"}})
	if status, page := v.Post("/changes/apply", url.Values{"why": {"a longer ring"}}); status != http.StatusOK {
		t.Fatalf("a change of the queue: %d %s", status, page)
	}
	anna, bruno, carrier := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller), carrierOf(t, o, hzCarrier)

	served := carrier.customer(mobileNumber)
	talking(t, "in the queue", served, hzCarrier, anna.picksUp(), hzAgent)
	served.Hangup()
	o.CallRecords(1)
	o.Lamp(201, tel.AgentReady)
	givesUp(t, anna, carrier, missedNumber)
	if w := o.WaitRecords(2)[0]; w.Outcome != tel.OutcomeAbandoned || w.Short {
		t.Fatalf("record %+v", w)
	}
	givesUp(t, anna, carrier, erasedNumber)
	o.WaitRecords(3)
	v.Does("/erasures", url.Values{"number": {erasedNumber}, "why": {"a letter"}, "sure": {"yes"}})
	leavesMessage(t, o, bruno, carrier)
	confers(t, o, bruno, carrier)
	if err := m.Deliver(mobileNumber, "domani alle 9?"); err != nil {
		t.Fatal(err)
	}
	o.TextRecords(1)
	ctl(t, o, "sms", "send", "gsm0", mobileNumber, "va bene")
	o.TextRecords(3) // received, sent, delivered
	anna.code("*78") // do not disturb, so that nobody has time for whom the next one is owed a call
	asksForACall(t, o, carrier)

	makeBackup(t, o, to)
	grown(t, o, 1)
	f := factsOf(t, o, fixtureCalls, fixtureWaits)
	text, err := json.MarshalIndent(f, "", " ")
	if err = errors.Join(err, os.WriteFile(filepath.Join(to, factsFile), text, 0o644)); err != nil {
		t.Fatal(err)
	}
	unharmed(t, o, false)
}

// givesUp is a call to the queue that ends while it rings at a desk.
func givesUp(t *testing.T, at, carrier *desk, from string) {
	t.Helper()
	lost := carrier.customer(from)
	at.ring()
	listen(t, "in the queue", lost)
	time.Sleep(time.Second) // who gives up sooner is no missed caller
	lost.Hangup()
}

// leavesMessage has a customer speak on bruno's mailbox.
func leavesMessage(t *testing.T, o *pbxtest.Office, bruno, carrier *desk) {
	t.Helper()
	message := carrier.call(peer.Outgoing{To: "+390612345679", From: mobileNumber})
	bruno.ring().Reject(486)
	listen(t, "the greeting of the mailbox", message)
	message.Audio().Press("#")
	lamp := subscribe(t, bruno.Peer, "message-summary", "202")
	speaksOnTape(t, o)
	message.Hangup()
	note(t, lamp, "Messages-Waiting: yes", "Voice-Message: 1/0")
}

// confers has bruno and a customer meet in the conference room.
func confers(t *testing.T, o *pbxtest.Office, bruno, carrier *desk) {
	t.Helper()
	b, c := bruno.dial("88"), carrier.call(peer.Outgoing{To: "+390612345680", From: mobileNumber})
	for _, party := range []*peer.Call{b, c} {
		listen(t, "the question for the code", party)
		party.Audio().Press("2468#")
	}
	o.Until("two in the room", func(n pbxtest.Now) bool { return len(n.Conferences) == 1 && len(n.Conferences[0].Members) == 2 })
	b.Hangup()
	c.Hangup()
	o.Until("nobody in the room", func(n pbxtest.Now) bool { return len(n.Conferences) == 0 })
}

// asksForACall has a customer of the queue, where nobody has time, hang up and keep the place.
func asksForACall(t *testing.T, o *pbxtest.Office, carrier *desk) {
	t.Helper()
	c := carrier.customer(owedNumber)
	says(t, "the caller", c, "queue_callback")
	c.Audio().Press("1")
	agrees(t, c)
	o.Until("a callback", func(n pbxtest.Now) bool { return len(n.Callbacks) == 1 })
}

// makeBackup keeps a backup of the office and its kit.
func makeBackup(t *testing.T, o *pbxtest.Office, to string) {
	t.Helper()
	kit := regexp.MustCompile(`AGE-SECRET-KEY-1\w+`).FindString(ctl(t, o, "backup", "kit"))
	ctl(t, o, "backup", "confirm", kit)
	stick := t.TempDir()
	ctl(t, o, "backup", "now", stick)
	files, err := filepath.Glob(filepath.Join(stick, "pronto-*.age"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err = errors.Join(err, os.WriteFile(filepath.Join(to, backupFile), whole, 0o644), os.WriteFile(filepath.Join(to, kitFile), []byte(kit+"\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// keepFixture makes the fixture of a version with the programs of a commit, as whoever has that commit can build them.
func keepFixture(t *testing.T, version, of string) {
	if _, err := release.ParseVersion(version); err != nil || !strings.HasPrefix(version, "v") {
		t.Fatalf("%q is no version such as v1.4.2: %v", version, err)
	}
	to := filepath.Join(versionsDir, version)
	if _, err := os.Stat(to); err == nil {
		t.Fatalf("%s is there: a kept version is never made again", to)
	}
	commit, err := exec.Command("git", "rev-parse", "--verify", of+"^{commit}").Output()
	if err != nil {
		t.Fatalf("there is no commit %s: %v", of, err)
	}
	made := t.TempDir()
	programs := programsOf(t, strings.TrimSpace(string(commit)))
	if !t.Run("the office of "+version, func(t *testing.T) { makeFixture(t, programs, made) }) {
		return
	}
	if err := errors.Join(os.WriteFile(filepath.Join(made, commitFile), commit, 0o644), os.MkdirAll(to, 0o755), os.CopyFS(to, os.DirFS(made))); err != nil {
		t.Fatal(err)
	}
}

// An office of today is opened again by today's program, and so is the office of every version that was kept, both as
// its files lay there and from its backup: it knows all that it knew, and nothing was moved aside. With -fixture, one
// more is kept first.
func TestTheOfficesOfAllVersionsOpen(t *testing.T) {
	if *fixture != "" {
		keepFixture(t, *fixture, *fixtureOf)
	}
	t.Parallel()
	today := t.TempDir()
	if !t.Run("today's is made", func(t *testing.T) { makeFixture(t, "", today) }) {
		return
	}
	from := map[string]string{"today": today}
	for _, version := range keptVersions(t) {
		from[version] = filepath.Join(versionsDir, version)
	}
	for name, from := range from {
		t.Run(name+" from its files", func(t *testing.T) {
			t.Parallel()
			setup, was := setupOf(t, filepath.Join(from, stateFile))
			setup.After = func(dir string) { nothingAside(t, dir) }
			o := bench.Start(t, setup)
			opened(t, o, factsIn(t, from), was, opening{})
			// What a backup leaves to the files: who may use the page has its passwords, and the change its reason.
			v := o.Visit()
			v.Owner()
			v.Shows("/users", "sara")
			v.Shows("/queues/sales", `value="25"`)
			v.Shows("/history", "a longer ring")
		})
		t.Run(name+" from its backup", func(t *testing.T) {
			t.Parallel()
			setup, was := setupOf(t, filepath.Join(from, stateFile))
			setup.Before = func(dir string) {
				ctl(t, &pbxtest.Office{Dir: dir}, "restore", "-key", filepath.Join(from, kitFile), "-only", "people,voicemail,queues,costs,texts,records", filepath.Join(from, backupFile))
			}
			kept := factsIn(t, from)
			kept.Lines, kept.Recordings, kept.Erased = nil, 0, 0 // the rest is left to the files
			was.Lines = nil
			setup.Modem = false
			opened(t, bench.Start(t, setup), kept, was, opening{restored: true})
		})
	}
}

// factsIn reads what the office of a fixture knew.
func factsIn(t *testing.T, dir string) (f facts) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, factsFile))
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil || len(f.Calls) == 0 || len(f.Waits) == 0 || len(f.People) == 0 {
		t.Fatalf("%s says nothing of its office: %v", dir, err)
	}
	return f
}

// opening is how an office is opened: by the programs of an earlier release, from a backup.
type opening struct{ earlier, restored bool }

// opened looks whether an office still knows what it knew, and does what its state says. How long something is kept
// does not matter here: a fixture grows old.
func opened(t *testing.T, o *pbxtest.Office, kept facts, was config.Config, by opening) (bruno, carrier *desk) {
	t.Helper()
	if len(was.Lines) > 0 {
		modem(t, o)
	}
	carrier = carrierOf(t, o, hzCarrier)
	factsOf(t, o, len(kept.Calls), len(kept.Waits)).knows(t, kept, by.earlier)
	bruno = deskAt(t, o, 202, hzCaller)
	note(t, subscribe(t, bruno.Peer, "message-summary", "202"), "Messages-Waiting: yes", "Voice-Message: 1/0")
	if status := bruno.refused("201"); status != 486 {
		t.Errorf("who is not to be disturbed is called with %d", status)
	}
	box := bruno.talksTo("*97")
	listen(t, "the menu of the mailbox", box)
	box.Audio().Press("1#")
	hearsTone(t, "Bruno", box, hzCarrier)
	box.Hangup()
	if kept.Recordings > 0 {
		grown(t, o, kept.Recordings)
	}
	unharmed(t, o, by.restored)
	return bruno, carrier
}

// setupOf is an office in which the state of a fixture lies, and what its configuration was.
func setupOf(t *testing.T, state string) (pbxtest.Setup, config.Config) {
	t.Helper()
	var was config.Config
	dir := t.TempDir()
	untar(t, state, dir)
	text, err := os.ReadFile(filepath.Join(dir, "pronto.yaml"))
	if err == nil {
		was, err = config.Parse(text)
	}
	if err != nil {
		t.Fatalf("the fixture's configuration: %v", err)
	}
	setup := fixtureSetup()
	setup.Before = func(dir string) { unpack(t, state, dir) }
	return setup, was
}

// pack writes a directory of state without what does not outlive a power cut, logs and programs.
func pack(t *testing.T, dir, to string) {
	t.Helper()
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if name == "run" {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() || strings.HasPrefix(name, "office.") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err = errors.Join(err, w.Close(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// unpack lays a fixture's state into the directory of an office that begins. Its configuration is the fixture's, but
// for the ports, which the new office was given.
func unpack(t *testing.T, from, dir string) {
	t.Helper()
	mine, err := os.ReadFile(filepath.Join(dir, "pronto.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	untar(t, from, dir)
	theirs, err := os.ReadFile(filepath.Join(dir, "pronto.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	was, err := config.Parse(theirs)
	if err != nil {
		t.Fatalf("the fixture's configuration: %v", err)
	}
	is, err := config.Parse(mine)
	if err != nil {
		t.Fatal(err)
	}
	moves := []string{
		was.SIP.Listen.String(), is.SIP.Listen.String(), was.Web.Listen.String(), is.Web.Listen.String(),
		fmt.Sprintf("port_min: %d", was.Media.PortMin), fmt.Sprintf("port_min: %d", is.Media.PortMin),
		fmt.Sprintf("port_max: %d", was.Media.PortMax), fmt.Sprintf("port_max: %d", is.Media.PortMax),
		fmt.Sprintf("port: %d", was.Media.Browsers.Port), fmt.Sprintf("port: %d", is.Media.Browsers.Port),
		was.Trunks[0].Server, is.Trunks[0].Server, was.Trunks[0].Match[0].String(), is.Trunks[0].Match[0].String(),
	}
	if was.SIP.TLSListen.IsValid() {
		moves = append(moves, was.SIP.TLSListen.String(), is.SIP.TLSListen.String())
	}
	if len(was.Lines) > 0 {
		moves = append(moves, was.Lines[0].AT, is.Lines[0].AT, was.Lines[0].Audio, is.Lines[0].Audio)
	}
	// The versions too: what is in force has to be among them.
	files, err := filepath.Glob(filepath.Join(dir, "config", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, filepath.Join(dir, "pronto.yaml")) {
		text, err := os.ReadFile(file)
		if err = errors.Join(err, os.WriteFile(file, []byte(strings.NewReplacer(moves...).Replace(string(text))), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// untar lays the files of a fixture's state into a directory.
func untar(t *testing.T, from, dir string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, h.Name)
		content, err := io.ReadAll(r)
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
