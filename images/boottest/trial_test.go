package boottest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/gate"
	"github.com/pronto-pbx/pronto/board/trial"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/tone"
	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/images/loader"
)

// tried is a box with two slots behind the stand-in of a boot loader: one card, one cable, and a machine for each start.
type tried struct {
	t     *testing.T
	card  string
	wire  *cable
	v     *vendor
	m     *machine
	mark  bool   // the next start is of the other slot
	more  string // arguments of the kernel
	stick string // image of one that lies beside the machine; empty: none
	n     int    // outcomes so far
	seed  uint64
	rand  *rand.Rand
}

// trialTime is what a trial has in place of its fifteen minutes, where nobody is to keep it.
const trialTime = 100 * time.Second

// newTried makes a box that runs release 1.0.0 in slot A.
func newTried(t *testing.T, wire int, seed uint64) *tried {
	t.Helper()
	b := &tried{t: t, card: card(t, layout.ImageSize), wire: lay(t, wire), seed: seed, rand: rand.New(rand.NewPCG(seed, 12))}
	file := filepath.Join(t.TempDir(), "office.yaml")
	if err := os.WriteFile(file, []byte(office), 0o600); err != nil {
		t.Fatal(err)
	}
	personalise(t, b.card, "-id", boxID, "-office", file)
	system{version: "1.0.0"}.into(t, b.card, layout.Offset(layout.SlotA))
	b.v = open(t, b.wire)
	return b
}

// on starts what the boot loader would, which is to be a partition.
func (b *tried) on(partition int) {
	b.t.Helper()
	if b.v != nil {
		b.v.forget()
	}
	f, err := os.Open(b.card)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	s, err := loader.Load(f, b.mark)
	if err != nil {
		b.t.Fatal(err)
	}
	if s.Partition != partition || s.Trying != b.mark && partition != layout.Select {
		b.t.Fatalf("the boot loader starts partition %d (once: %v, %v), not %d\n%s", s.Partition, s.Trying, s.Skipped, partition, b.said())
	}
	b.mark = false
	s.Arguments += b.more
	b.m = start(b.t, options{disk: b.card, loaded: &s, once: true, cable: b.wire, stick: b.stick})
}

func (b *tried) said() string {
	if b.m == nil {
		return ""
	}
	return b.m.text()
}

// resets waits until the machine starts anew, and learns whether that is to be of the other slot.
func (b *tried) resets(limit time.Duration) {
	b.t.Helper()
	b.m.ends("SHUTDOWN guest-reset", limit)
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	b.mark = loader.Marked(b.m.lines)
}

// carries has a call go through the box, heard both ways.
func (b *tried) carries() {
	b.t.Helper()
	if !b.t.Run("a call is heard both ways", func(t *testing.T) {
		b.wire.answers(t, b.m)
		call(t, b.wire, b.m)
	}) {
		b.t.FailNow()
	}
}

// carriesNone has a phone ask in vain to be known.
func (b *tried) carriesNone() {
	b.t.Helper()
	p, err := peer.New(peer.Config{Listen: netip.AddrPortFrom(b.wire.us, 0), Box: netip.AddrPortFrom(b.wire.box, 5060), User: "201", Password: "image-test-201-secret", Hz: hzAgent, Law: tone.ALaw})
	if err != nil {
		b.t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	if _, err := p.Register(ctx, time.Hour); err == nil {
		b.t.Error("a phone is known to an exchange that hears nothing")
	}
}

// installs writes a release into the idle slot, through the device that the updater is lent.
func (b *tried) installs(r system) {
	b.t.Helper()
	part := r.part(b.t)
	b.v.mu.Lock()
	b.v.part = part
	b.v.mu.Unlock()
	b.v.does(b.m, "install")
}

// tries has what was installed started once.
func (b *tried) tries(version string, slot int) {
	b.t.Helper()
	b.v.begin(b.m, "try "+version)
	b.resets(patience)
	if !b.mark {
		b.t.Fatalf("the boot loader is not told of the trial\n%s", b.m.text())
	}
	b.on(slot)
}

// outcome prints one, with what the first program says of it.
func (b *tried) outcome(class string, began time.Time, want gate.Trial) {
	b.t.Helper()
	s := b.v.slots(b.m)
	got := s.Last
	if got.Version != want.Version || got.Slot != want.Slot || got.Outcome != want.Outcome || got.Why != want.Why {
		b.t.Fatalf("%s: it says %+v, want %+v\n%s", class, got, want, b.m.text())
	}
	if s.Trying || s.Running != s.Chosen || s.Idle == "" {
		b.t.Fatalf("%s: %+v", class, s)
	}
	b.n++
	fmt.Printf("outcome %d of seed %d: %-40s -> %s %s, slot %d runs, %.0f s\n", b.n, b.seed, class, got.Outcome, got.Why, s.Running, time.Since(began).Seconds())
}

// wayBack is a release that comes to nothing, and what becomes of its trial.
type wayBack struct {
	class string
	system
	during func(b *tried) // what happens while it is on trial; the machine then restarts, or has been cut
	why    string
}

// neverKept are the classes of those that end by time.
func neverKept() []wayBack {
	return []wayBack{
		{"nobody keeps it", system{}, func(b *tried) {
			b.carries()
			if s := b.v.slots(b.m); !s.Trying || s.Idle != "" || s.Left <= 0 || s.Last.Outcome != "asked" {
				b.t.Errorf("on trial: %+v", s)
			}
			b.v.refuses(b.m, "write /run/otad/idle", "") // the way back
			b.resets(2 * trialTime)
		}, trial.WhyExpired},
		{"its updater falls again and again", system{planted: planted{"bin/otad": "crasher"}}, func(b *tried) {
			b.m.says("crasher: ends", 4)
			b.carries() // nobody else minds
			b.resets(2 * trialTime)
		}, trial.WhyExpired},
	}
}

// waysBack are the classes of the others.
func waysBack() []wayBack {
	resets := func(said string) func(b *tried) {
		return func(b *tried) {
			if said != "" {
				b.m.says(said, 1)
			}
			b.resets(5 * time.Minute)
		}
	}
	cut := func(b *tried) {
		moments := []string{"msg=Pronto", "msg=slots", `msg="service started"`, "the exchange runs"}
		b.m.says(moments[b.rand.IntN(len(moments))], 1)
		b.m.cut()
	}
	return []wayBack{
		{"it hangs", system{planted: planted{"init": "freezer"}}, resets("the first program stands still"), trial.WhyReset},
		{"its kernel panics", system{planted: planted{"init": "crasher"}}, resets("Kernel panic"), trial.WhyReset},
		{"its initramfs is damaged", system{damaged: true}, resets("Kernel panic"), trial.WhyReset},
		{"its exchange falls again and again", system{planted: planted{"bin/prontod": "crasher"}}, resets("the release on trial is given up"), trial.WhyGivenUp},
		{"its exchange refuses to start", system{planted: planted{"bin/prontod": "refuser"}}, resets("the release on trial is given up"), trial.WhyGivenUp},
		{"its exchange carries no call", system{planted: planted{"bin/prontod": "deaf"}}, func(b *tried) {
			b.m.says("deaf: ready", 1)
			b.v.slots(b.m) // its network works
			b.carriesNone()
			b.v.begin(b.m, "back unfit the call to itself was not answered")
			b.resets(patience)
		}, "unfit"},
		{"the power is cut before it is kept", system{}, cut, trial.WhyReset},
	}
}

func TestEveryReleaseThatComesToNothingLeavesTheOneBeforeInItsPlace(t *testing.T) {
	t.Parallel()
	newTried(t, 41, 1).goesBack(waysBack())
}

func TestAReleaseThatNobodyKeepsLeavesTheOneBeforeInItsPlace(t *testing.T) {
	t.Parallel()
	newTried(t, 44, 4).goesBack(neverKept())
}

// wanted tells whether a class is one of those that were asked for; all are, where none was.
func wanted(t *testing.T, class string) bool {
	t.Helper()
	form, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	return form.MatchString(class)
}

// goesBack has the box try releases that come to nothing, in an order that the seed chooses.
func (b *tried) goesBack(all []wayBack) {
	b.t.Helper()
	all = slices.DeleteFunc(all, func(w wayBack) bool { return !wanted(b.t, w.class) })
	if len(all) == 0 {
		b.t.Skipf("left out: no class of these is called %q", *only)
	}
	b.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	b.on(layout.SlotA)
	b.carries()
	for i, w := range all {
		began, version := time.Now(), fmt.Sprintf("1.1.%d", i)
		w.system.version = version
		b.installs(w.system)
		b.v.refuses(b.m, "try 9.9.9", gate.CodeSlot)
		if w.why == trial.WhyExpired {
			b.more = " pronto.trial=" + trialTime.String()
		}
		b.tries(version, layout.SlotB)
		b.more = ""
		w.during(b)
		if b.mark {
			b.t.Fatalf("%s: it is tried again", w.class)
		}
		b.on(layout.SlotA)
		b.carries()
		b.outcome(w.class, began, gate.Trial{Version: version, Slot: layout.SlotB, Outcome: "back", Why: w.why})
	}
	fmt.Printf("seed %d: %d ways back, each with a call before and after\n", b.seed, b.n)
}
