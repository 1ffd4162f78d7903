package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/account"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// cells makes a directory of programs that start the real ones as the first program of a box does.
func cells(t *testing.T) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("only root can give users to programs")
		}
		t.Skip("left out: only root can give users to programs")
	}
	dir, err := os.MkdirTemp("", "cells") // not t.TempDir, whose parents only root may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	inner := filepath.Join(dir, "real")
	for _, at := range []string{dir, inner} {
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "prontod"), "./testdata/cell")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // a thread of C would keep its privileges
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Without libraries, which nobody may execute in a cell.
	build = exec.Command("go", "build", "-o", inner+"/", ".", "../recordd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for from, to := range map[string]string{
		filepath.Join(dir, "prontod"): filepath.Join(dir, "recordd"), filepath.Join(bench.Programs(), "prontoctl"): filepath.Join(dir, "prontoctl"),
	} {
		if err := os.Link(from, to); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The capabilities of the services, as the kernel writes them: none, and CAP_DAC_READ_SEARCH.
const none, reads = "0000000000000000", "0000000000000004"

// walls fails the test unless the kernel says that a program has no more privileges and is filtered.
func walls(t *testing.T, o *pbxtest.Office, name string, uid int, caps string) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.PID(name)))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		said[key] = strings.Join(strings.Fields(value), " ")
	}
	user := fmt.Sprint(uid)
	for key, want := range map[string]string{
		"Uid": strings.Join([]string{user, user, user, user}, " "), "CapEff": caps, "CapPrm": caps, "CapAmb": caps, "NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "2",
	} {
		if said[key] != want {
			t.Errorf("%s: %s is %q, want %q", name, key, said[key], want)
		}
	}
}

// backsUp gives an office a recovery kit and a place for its backups.
func backsUp(t *testing.T, dir string) {
	t.Helper()
	ctl(t, &pbxtest.Office{Dir: dir}, "backup", "kit")
	f, err := os.OpenFile(filepath.Join(dir, "pronto.yaml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "backup: {to: %q}\n", filepath.Join(dir, "stick"))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// backedUp waits until recordd, which has read the whole office for it, has made a backup, and looks whether
// the exchange can read how that went.
func backedUp(t *testing.T, o *pbxtest.Office) {
	t.Helper()
	status := filepath.Join(o.Dir, "backup", "status.json")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(status)
		if err == nil && strings.Contains(string(text), `"made"`) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no backup is made: %s, %v", text, err)
		}
	}
	info, err := os.Stat(status)
	if err != nil {
		t.Fatal(err)
	}
	if st := info.Sys().(*syscall.Stat_t); st.Uid != account.Records || st.Gid != account.HistoryGroup || info.Mode().Perm() != 0o640 {
		t.Errorf("%s is of user %d and group %d, with mode %v", status, st.Uid, st.Gid, info.Mode())
	}
	if all, err := filepath.Glob(filepath.Join(o.Dir, "stick", "pronto-*.age")); err != nil || len(all) != 1 {
		t.Errorf("backups %v, %v", all, err)
	}
}

func TestAnOfficeWorksInTheCellsOfABox(t *testing.T) {
	realPrograms(t)
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{
		Programs: cells(t), Agents: 2, LoggedIn: 1, Carrier: 5070, Modem: true, TLS: true,
		Extra:  `voicemail: {boxes: [{number: "202", pin: "58313"}]}` + "\n",
		Before: func(dir string) { backsUp(t, dir) },
	})
	walls(t, o, "prontod", account.Exchange, none)
	walls(t, o, "recordd", account.Records, reads)
	o.Until("the exchange to say that its walls stand", func(n pbxtest.Now) bool { h, ok := n.Health["confined"]; return ok && h.OK })
	anna, bruno, carrier := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzStranger), carrierOf(t, o, hzCarrier)
	o.Lamp(201, tel.AgentReady)

	customer := carrier.customer(mobileNumber)
	at := anna.picksUp()
	talking(t, "carrier to agent", customer, hzCarrier, at, hzAgent)
	o.Kill() // the next one takes the sockets and goes on, in a cell of its own
	talking(t, "after a crash", customer, hzCarrier, at, hzAgent)
	walls(t, o, "prontod", account.Exchange, none)
	over(t, customer, at)
	o.Lamp(201, tel.AgentReady)

	m := modem(t, o)
	if err := m.Ring(mobileNumber); err != nil {
		t.Fatal(err)
	}
	at = anna.picksUp()
	o.Lamp(201, tel.AgentTalking)
	hearsTone(t, "the agent", at, hzModem)
	m.hears(t, hzAgent)
	at.Hangup()
	o.Lamp(201, tel.AgentReady)

	backedUp(t, o)
	box := bruno.talksTo("*97") // reads and writes sounds
	listen(t, "the mailbox", box)
	box.Hangup()
	o.CallRecords(3) // at recordd: two customers, and the mailbox
	if log := o.Log(); strings.Contains(log, "not permitted") || strings.Contains(log, "permission denied") {
		t.Error("something was refused that an office needs")
		for line := range strings.Lines(log) {
			if strings.Contains(line, "not permitted") || strings.Contains(line, "permission denied") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// A neighbour that dies and dies again is restarted, and nobody who talks hears of it. The updater, for which
// the same must hold, is not there yet: recordd stands for it.
func TestAHundredDeathsOfANeighbourBreakNoAudio(t *testing.T) {
	realPrograms(t)
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LongestPause: 20 * time.Millisecond})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	c := anna.dial("202")
	at := bruno.picksUp()
	answered(t, "the colleague", c)
	talking(t, "before", c, hzAgent, at, hzCaller)
	prontod := o.PID("prontod")
	at.Audio().Forget()
	said := c.Audio().Said()
	for range 100 {
		o.KillNeighbour("recordd")
	}
	c.Audio().Mute(true) // what it has said until now must arrive, whole
	for end, all := time.Now().Add(10*time.Second), c.Audio().Said()-said; at.Audio().Packets() < all; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("of %d packets %d arrived", all, at.Audio().Packets())
		}
	}
	c.Audio().Mute(false)
	talking(t, "after", c, hzAgent, at, hzCaller)
	if o.PID("prontod") != prontod {
		t.Error("the exchange was started anew")
	}
	over(t, c, at)
	o.CallRecords(1)
}
