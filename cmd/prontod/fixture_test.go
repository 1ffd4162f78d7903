package main_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

var fixture = flag.String("fixture", "", "keep the office of today as the fixture of this version, in testdata")

// What a fixture consists of: the state of an office when nothing ran, with its configuration; a backup of it made
// while it ran, and the recovery kit that opens the backup.
const (
	stateFile  = "state.tar.gz"
	backupFile = "backup.age"
	kitFile    = "kit"
)

// bruno's mailbox and anna's queue, on two numbers of the carrier.
func fixtureSetup() pbxtest.Setup {
	return pbxtest.Setup{
		Agents: 2, LoggedIn: 1, Carrier: 5070, Numbers: `"+390612345679": "ext:202"`,
		Calls: person(202, `ring: 5s, forward: {busy: "voicemail:202"}`), Queue: "waiting: {short: 1s}, distribution: {sticky: 168h}",
		Extra: "voicemail: {boxes: [{number: \"202\", pin: \"90210\", own_phone: true}]}\n",
	}
}

// makeFixture lets an office live for a while and keeps what it leaves. The office ends with the test.
func makeFixture(t *testing.T, to string) {
	setup := fixtureSetup()
	setup.After = func(dir string) { pack(t, dir, filepath.Join(to, stateFile)) }
	o := bench.Start(t, setup)
	v := o.SignIn("agent201")
	v.Does("/signin", url.Values{"name": {"owner"}, "password": {pbxtest.OwnerPassword}})
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
	lost := carrier.customer(missedNumber)
	anna.ring()
	listen(t, "in the queue", lost)
	time.Sleep(time.Second) // who gives up sooner is no missed caller
	lost.Hangup()
	if w := o.WaitRecords(2)[0]; w.Outcome != tel.OutcomeAbandoned || w.Short {
		t.Fatalf("record %+v", w)
	}
	message := carrier.call(peer.Outgoing{To: "+390612345679", From: mobileNumber})
	bruno.ring().Reject(486)
	listen(t, "the greeting of the mailbox", message)
	message.Audio().Press("#")
	lamp := subscribe(t, bruno.Peer, "message-summary", "202")
	speaksOnTape(t, o)
	message.Hangup()
	note(t, lamp, "Messages-Waiting: yes", "Voice-Message: 1/0")
	anna.code("*78") // do not disturb
	o.CallRecords(4)

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

// missedNumber calls and gives up.
const missedNumber = "+390298765432"

// An office of today is opened again by today's program, and so is the office of every version that was released,
// both as its files lay there and from its backup. With -fixture, today's is kept.
func TestTheOfficesOfAllVersionsOpen(t *testing.T) {
	t.Parallel()
	today := t.TempDir()
	if *fixture != "" {
		today = filepath.Join("testdata", *fixture)
		if err := os.MkdirAll(today, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if !t.Run("today's is made", func(t *testing.T) { makeFixture(t, today) }) {
		return
	}
	kept, err := filepath.Glob("testdata/v*")
	if err != nil || len(kept) == 0 {
		t.Fatalf("no fixture is kept: %v", err)
	}
	for _, from := range append(kept, today) {
		name := filepath.Base(from)
		if from == today {
			name = "today"
		}
		t.Run(name+" from its files", func(t *testing.T) {
			t.Parallel()
			setup := fixtureSetup()
			setup.Before = func(dir string) { unpack(t, filepath.Join(from, stateFile), dir) }
			o := bench.Start(t, setup)
			asItWas(t, o)
			// What a backup leaves to the files: who may use the page has its passwords, and the change its reason.
			v := o.Visit()
			v.Does("/signin", url.Values{"name": {"owner"}, "password": {pbxtest.OwnerPassword}})
			v.Shows("/users", "sara")
			v.Shows("/queues/sales", `value="25"`)
			v.Shows("/history", "a longer ring")
		})
		t.Run(name+" from its backup", func(t *testing.T) {
			t.Parallel()
			setup := fixtureSetup()
			setup.Before = func(dir string) {
				ctl(t, &pbxtest.Office{Dir: dir}, "restore", "-key", filepath.Join(from, kitFile), "-only", "people,voicemail,queues,costs,texts,records", filepath.Join(from, backupFile))
			}
			asItWas(t, bench.Start(t, setup))
		})
	}
}

// asItWas looks for what the office of a fixture knew. How long something is kept does not matter here: a fixture
// grows old.
func asItWas(t *testing.T, o *pbxtest.Office) {
	t.Helper()
	records := o.CallRecords(4)
	oldest := records[len(records)-1]
	if oldest.From != mobileNumber || oldest.Agent != "agent201" || oldest.Queue != "sales" {
		t.Errorf("the oldest record is %+v", oldest)
	}
	if w := o.WaitRecords(2); w[len(w)-1].Outcome != tel.OutcomeAnswered || w[len(w)-2].Outcome != tel.OutcomeAbandoned {
		t.Errorf("the oldest waits ended with %v and %v", w[len(w)-1].Outcome, w[len(w)-2].Outcome)
	}
	bruno := deskAt(t, o, 202, hzCaller)
	note(t, subscribe(t, bruno.Peer, "message-summary", "202"), "Messages-Waiting: yes", "Voice-Message: 1/0")
	box := bruno.talksTo("*97")
	listen(t, "the menu of the mailbox", box)
	box.Audio().Press("1#")
	hearsTone(t, "Bruno", box, hzCarrier)
	box.Hangup()
	if status := bruno.refused("201"); status != 486 {
		t.Errorf("who is not to be disturbed is called with %d", status)
	}
	if log := o.Log(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "damaged") {
		t.Error("something could not be read") // the log is shown
	}
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
	moved := strings.NewReplacer(
		was.SIP.Listen.String(), is.SIP.Listen.String(), was.Web.Listen.String(), is.Web.Listen.String(),
		fmt.Sprintf("port_min: %d", was.Media.PortMin), fmt.Sprintf("port_min: %d", is.Media.PortMin),
		fmt.Sprintf("port_max: %d", was.Media.PortMax), fmt.Sprintf("port_max: %d", is.Media.PortMax),
		was.Trunks[0].Server, is.Trunks[0].Server, was.Trunks[0].Match[0].String(), is.Trunks[0].Match[0].String(),
	).Replace(string(theirs))
	if err := os.WriteFile(filepath.Join(dir, "pronto.yaml"), []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
}
