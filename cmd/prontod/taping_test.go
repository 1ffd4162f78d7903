package main_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/firmware/record"
	"github.com/pronto-pbx/pronto/firmware/store"
)

// tapedCalls is how many calls are recorded at once.
const tapedCalls = 48

// tapedLoss is the most that a kill may take of a recording: what a tap has gathered, which is a second of sound, and
// what it takes to hand it over, on a machine that is busy with the test itself.
const tapedLoss = 5 * time.Second

// tapedDay is an office in which 48 callers from outside talk with 48 people, all of them recorded.
type tapedDay struct {
	t       *testing.T
	o       *pbxtest.Office
	callers []*peer.Call // the i-th says toneOf(i, 0)
	agents  []*peer.Call // and is answered by who says toneOf(i, 1)

	kills   []time.Time
	records []store.Call
}

// toneOf gives each of 96 parties a tone of its own.
func toneOf(call, side int) int { return 400 + 60*((call+24*side)%tapedCalls) + 30*side }

// openTaped brings the calls up and waits until all are recorded. Before sees the directory of the state first, after
// when nothing runs any more.
func openTaped(t *testing.T, before func(dir string), after func(d *tapedDay, dir string)) *tapedDay {
	d := &tapedDay{t: t}
	var numbers []string
	for i := range tapedCalls {
		numbers = append(numbers, fmt.Sprintf(`"+3906100%04d": "ext:%d"`, i, 201+i))
	}
	d.o = bench.Start(t, pbxtest.Setup{
		Agents: tapedCalls, Carrier: 5070, Numbers: strings.Join(numbers, ", "), Before: before, After: func(dir string) { after(d, dir) },
		Extra: "recording: {notice: false, purposes: [{id: q, name: Q, days: 9}], rules: [{id: all, record: always, purpose: q}]}\n",
	})
	answered := make([]chan *peer.Call, tapedCalls)
	for i := range tapedCalls {
		answered[i] = make(chan *peer.Call, 1)
		phone(t, d.o, 201+i, toneOf(i, 1), func(c *peer.Call) { c.Answer(); answered[i] <- c })
	}
	carrier := carrierOf(t, d.o, 0)
	for i := range tapedCalls {
		c, err := carrier.Dial(peer.Outgoing{To: fmt.Sprintf("+3906100%04d", i), From: fmt.Sprintf("+39333000%04d", i), Hz: toneOf(i, 0)})
		if err != nil {
			t.Fatal(err)
		}
		within(t, fmt.Sprintf("call %d to be connected", i), c.Answered())
		d.callers, d.agents = append(d.callers, c), append(d.agents, <-answered[i])
	}
	d.recorded("at the beginning", tapedCalls)
	return d
}

// recorded waits until so many calls are recorded, and some seconds more that can be judged.
func (d *tapedDay) recorded(when string, n int) {
	d.t.Helper()
	d.o.Until(fmt.Sprintf("%d calls to be recorded %s", n, when), func(now pbxtest.Now) bool {
		on := 0
		for _, c := range now.Calls {
			if c.Recording == "on" {
				on++
			}
		}
		return len(now.Calls) == tapedCalls && on == n
	})
	time.Sleep(3 * time.Second)
}

// kill ends prontod by SIGKILL and waits until every party hears again.
func (d *tapedDay) kill() {
	d.t.Helper()
	d.kills = append(d.kills, time.Now())
	d.o.Kill()
	d.o.Until("the box after the kill", func(pbxtest.Now) bool { return true })
	back := time.Now()
	for i, c := range slices.Concat(d.callers, d.agents) {
		for c.Audio().Last().Before(back) {
			select {
			case <-c.Ended():
				d.t.Fatalf("party %d: the call has ended", i)
			default:
			}
			if time.Since(back) > patience {
				d.t.Fatalf("party %d hears nothing after the kill", i)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// hearEachOther judges what some of the calls hear, first and last among them.
func (d *tapedDay) hearEachOther(when string) {
	d.t.Helper()
	for i := 0; i < tapedCalls; i += 15 {
		eachHears(d.t, fmt.Sprintf("%s: call %d", when, i), []int{toneOf(i, 0), toneOf(i, 1)}, d.callers[i], toneOf(i, 0), d.agents[i], toneOf(i, 1))
	}
}

// close hangs up and reads the records.
func (d *tapedDay) close() {
	for _, c := range d.callers {
		c.Hangup()
	}
	d.records = d.o.CallRecords(tapedCalls)
}

// judge opens what lies on the disk when nothing runs any more: every part that a record names is there, opens, holds
// the tone of each party on its side, and what came before a kill; and nobody has changed anything.
func (d *tapedDay) judge(dir string, parts int) {
	t := d.t
	if t.Failed() {
		return // the office ends for another reason
	}
	a, err := record.Open(record.Config{Log: slog.New(slog.DiscardHandler), Dir: filepath.Join(dir, "recordings")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	rep, err := a.Verify(context.Background())
	if err != nil || len(rep.Wrong) > 0 || rep.Running > 0 {
		t.Errorf("the archive: %+v, %v", rep, err)
	}
	chains, named, longest := map[string]bool{}, 0, time.Duration(0)
	for _, r := range d.records {
		good := 0
		for _, p := range r.Recordings {
			if p.Chain != r.Recordings[0].Chain {
				t.Errorf("call %s is in the chains %s and %s", r.Call, p.Chain, r.Recordings[0].Chain)
			}
			x, ok := a.Get(p.ID)
			if !ok {
				if p.Failed == "" {
					t.Errorf("call %s: nothing is there of %s, and the record does not say so", r.Call, p.ID)
				}
				continue
			}
			good++
			named++
			if p.Why == "crashed" && p.Failed == "" {
				longest = max(longest, d.lost(x))
			}
			d.heard(a, x)
		}
		if good != parts {
			t.Errorf("call %s has %d parts that are there, want %d: %+v", r.Call, good, parts, r.Recordings)
		}
		if chains[r.Recordings[0].Chain] {
			t.Errorf("two calls share the chain %s", r.Recordings[0].Chain)
		}
		chains[r.Recordings[0].Chain] = true
	}
	if n, _ := a.Total(); n != named {
		t.Errorf("%d recordings are on the disk, the records name %d", n, named)
	}
	if longest > tapedLoss {
		t.Errorf("a kill has taken %v of a recording, more than %v", longest, tapedLoss)
	}
	t.Logf("%d recordings of %d calls through %d kills; a kill took %v at most of one", named, len(d.records), len(d.kills), longest.Round(10*time.Millisecond))
}

// lost is how much a part misses before the kill that ended it.
func (d *tapedDay) lost(x record.Recording) time.Duration {
	for _, k := range d.kills {
		if k.After(x.Began) {
			return k.Sub(x.Began.Add(x.Length))
		}
	}
	return 0
}

// heard fails unless some third of a second of a part has the caller's tone on the left and the other's on the right.
func (d *tapedDay) heard(a *record.Archive, x record.Recording) {
	p, err := a.Again(x.ID)
	if err != nil {
		d.t.Errorf("%s does not open: %v", x.ID, err)
		return
	}
	defer func() { _ = p.Close() }()
	i := slices.IndexFunc(d.agents, func(c *peer.Call) bool { return len(x.Tracks) == 2 && "phone:"+c.Called == x.Tracks[1].Party })
	if i < 0 || !strings.HasPrefix(x.Tracks[0].Party, "trunk:") {
		d.t.Errorf("%s is of %+v", x.ID, x.Tracks)
		return
	}
	const window = 2400
	left, right := toneOf(i, 0), toneOf(i, 1)
	err = errors.New("it is too short")
	pcm := make([]int16, 2*window)
	for at := 0; at+window <= p.Samples(); at += window / 2 {
		p.Read(pcm, at)
		var sides [2][]int16
		for k, s := range pcm {
			sides[k%2] = append(sides[k%2], s)
		}
		if err = errors.Join(tone.Heard(sides[0], left, right), tone.Heard(sides[1], right, left)); err == nil {
			return
		}
	}
	d.t.Errorf("%s, of %v: %v", x.ID, p.Samples(), err)
}

// prontod is killed again and again while it records 48 calls: the calls go on, what was recorded is there, sealed, whole
// and in one chain, and it goes on being recorded.
func TestRecordingsOfManyCallsOutliveKills(t *testing.T) {
	fast(t)
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	d := openTaped(t, nil, func(d *tapedDay, dir string) { d.judge(dir, rounds+1) })
	for round := range rounds {
		d.kill()
		d.recorded(fmt.Sprintf("after kill %d", round+1), tapedCalls)
	}
	d.hearEachOther("after the last kill")
	d.close()
}

// The disk of the recordings fills up to its last byte while 48 calls are recorded, prontod is killed, and there is room
// again: no call notices, what was recorded before is whole, the box says what is wrong, and recording goes on by itself.
func TestRecordingsOutliveAKillOnAFullDisk(t *testing.T) {
	fast(t)
	var once sync.Once
	at := ""
	unmount := func() { once.Do(func() { _ = unix.Unmount(at, unix.MNT_DETACH) }) }
	t.Cleanup(func() {
		if at != "" {
			unmount() // should the office not have come to its end
		}
	})
	d := openTaped(t, func(dir string) {
		at = filepath.Join(dir, "recordings")
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=700m"); err != nil {
			at = ""
			if os.Getenv("CI") == "true" {
				t.Fatalf("mount a small tmpfs: %v; with CI=true this test may not be left out", err)
			}
			t.Skipf("left out: cannot mount a small tmpfs (%v); run as root", err)
		}
	}, func(d *tapedDay, dir string) {
		d.judge(dir, 2)
		unmount()
	})
	fill := filepath.Join(at, "fill")
	fills(t, fill)
	d.recorded("when the disk is full", 0)
	d.o.Alarm("recordings", true)
	d.hearEachOther("the disk is full")
	d.kill()
	d.recorded("after the kill", 0)
	d.hearEachOther("after the kill, the disk is full")
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	d.recorded("when there is room again", tapedCalls)
	d.close()
	d.o.Alarm("recordings", false) // a recording has ended well
}

// fills takes all room that is left on the disk of a file.
func fills(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s unix.Statfs_t
	for {
		if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if s.Bavail == 0 {
			return
		}
		for part := int64(s.Bavail) * int64(s.Bsize); part > 0; part /= 2 {
			if unix.Fallocate(int(f.Fd()), 0, info.Size(), part) == nil {
				break
			}
		}
	}
}
