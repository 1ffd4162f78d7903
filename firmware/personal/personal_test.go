package personal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/dialplan"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// office is an owner with what it told its neighbours.
type office struct {
	*Owner
	path string

	mu     sync.Mutex // guards what follows
	events []tel.Event
	saved  []error
}

func open(t *testing.T, path string) *office {
	t.Helper()
	o := &office{path: path}
	var err error
	o.Owner, err = Open(Config{
		Log: slog.New(slog.DiscardHandler), Path: path,
		Publish: func(e tel.Event) { o.mu.Lock(); o.events = append(o.events, e); o.mu.Unlock() },
		Saved:   func(err error) { o.mu.Lock(); o.saved = append(o.saved, err); o.mu.Unlock() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

func (o *office) must(t *testing.T, c dialplan.Change) {
	t.Helper()
	if err := o.Change(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

var everything = []dialplan.Change{
	{Kind: dialplan.DND, Agent: "anna", On: true},
	{Kind: dialplan.Forward, When: dialplan.OnBusy, Agent: "anna", To: "ext:202", On: true},
	{Kind: dialplan.Speed, Agent: "anna", Slot: "07", Number: "0287654321", On: true},
	{Kind: dialplan.Blocking, Agent: "anna", Number: "024444444", On: true},
	{Kind: dialplan.CallWaiting, Agent: "boss"},
	{Kind: dialplan.ForceHours, Hours: "office", Override: dialplan.ForceClosed},
	{Kind: dialplan.Sit, Agent: "boss", Device: "205"},
	{Kind: dialplan.WrongPIN, Device: "door"},
}

func TestSettingsSurviveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "personal.json")
	o := open(t, path)
	for _, c := range everything {
		o.must(t, c)
	}
	// No Close: what was acknowledged must be there after a kill.
	again := open(t, path)
	if got, want := again.Current(), o.Current(); !same(got, want) || !got.People["anna"].DND || got.Seats["205"] != "boss" {
		t.Errorf("after a restart:\n%+v\nbefore:\n%+v", got, want)
	}
}

func TestObserversLearnWhatShowsOnLampsAndOnlyThat(t *testing.T) {
	o := open(t, filepath.Join(t.TempDir(), "personal.json"))
	for _, c := range everything {
		o.must(t, c)
	}
	o.must(t, everything[0]) // already so
	o.must(t, dialplan.Change{Kind: dialplan.ForceHours, Hours: "office"})
	var got []string
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		switch e := e.(type) {
		case tel.PersonalChanged:
			got = append(got, fmt.Sprintf("%s dnd=%v waiting=%v busy=%s", e.Agent, e.DND, e.CallWaiting, e.Busy))
		case tel.HoursForced:
			got = append(got, e.Hours+" "+e.State)
		case tel.SeatChanged:
			got = append(got, fmt.Sprintf("%s at %s", e.Agent, e.Device))
		}
	}
	want := []string{"anna dnd=true waiting=true busy=", "anna dnd=true waiting=true busy=ext:202", "boss dnd=false waiting=false busy=", "office closed", "boss at 205", "office "}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := len(Events(o.Current(), o.events[0].(tel.PersonalChanged).At)); n != 3 {
		t.Errorf("who begins to watch gets %d events", n)
	}
}

func TestAConfigurationChangeDropsWhoIsGoneAndKeepsTheOthers(t *testing.T) {
	o := open(t, filepath.Join(t.TempDir(), "personal.json"))
	for _, c := range everything {
		o.must(t, c)
	}
	plan := dialplan.Plan{Extensions: []dialplan.Extension{{Number: "201", Agent: "anna"}}, Hours: []dialplan.Hours{{ID: "office"}}}
	if err := o.Adopt(t.Context(), plan, []tel.DeviceID{"205"}); err != nil {
		t.Fatal(err)
	}
	got := o.Current()
	if len(got.People) != 1 || !got.People["anna"].DND || got.Hours["office"] != dialplan.ForceClosed || len(got.Seats) != 0 || len(got.Wrong) != 0 {
		t.Errorf("%+v", got)
	}
	if again := open(t, o.path); !same(again.Current(), got) {
		t.Errorf("after a restart: %+v", again.Current())
	}
}

func TestADamagedFileCostsTheSettingsAndNotTheBox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "personal.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := open(t, path)
	if !same(o.Current(), dialplan.Personal{}) {
		t.Errorf("%+v", o.Current())
	}
	o.must(t, everything[0])
	if again := open(t, path); !again.Current().People["anna"].DND {
		t.Error("nothing is kept any more")
	}
}

func TestADiskThatRefusesIsReportedAndTheChangeHolds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	o := open(t, filepath.Join(dir, "personal.json"))
	if err := o.Change(t.Context(), everything[0]); err == nil {
		t.Error("saved into a directory that does not exist")
	}
	if !o.Current().People["anna"].DND {
		t.Error("the change does not hold")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	o.must(t, everything[1])
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.saved) != 2 || o.saved[0] == nil || o.saved[1] != nil {
		t.Errorf("reported: %v", o.saved)
	}
}

func TestManyPhonesAtOnceAndAClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "personal.json")
	o := open(t, path)
	var wg sync.WaitGroup
	accepted := make([]bool, 200)
	for i := range accepted {
		wg.Go(func() {
			accepted[i] = o.Tell(dialplan.Change{Kind: dialplan.DND, Agent: tel.AgentID(fmt.Sprint(i)), On: true})
		})
	}
	wg.Wait()
	o.Close()
	again := open(t, path)
	for i, ok := range accepted {
		if got := again.Current().People[tel.AgentID(fmt.Sprint(i))].DND; ok != got {
			t.Errorf("change %d: accepted %v, kept %v", i, ok, got)
		}
	}
	if err := o.Change(t.Context(), everything[0]); !errors.Is(err, ErrClosed) {
		t.Errorf("a change after the end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := again.Change(ctx, everything[0]); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who left: %v", err)
	}
}
