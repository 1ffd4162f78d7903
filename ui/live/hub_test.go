package live

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/access"
	"github.com/pronto-pbx/pronto/ui/page"
	"github.com/pronto-pbx/pronto/ui/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newHub(t testing.TB) *Hub {
	t.Helper()
	words, err := page.All()
	if err != nil {
		t.Fatal(err)
	}
	return New(slog.New(slog.DiscardHandler), words, func() *view.Model {
		return view.NewModel("Bottega", []view.Queue{{ID: "sales", Name: "Vendite", Number: "400"}}, []view.Agent{{ID: "anna", Name: "Anna"}, {ID: "bruno", Name: "Bruno"}})
	})
}

// office is a hub that runs, and the hand that feeds it.
type office struct {
	*Hub
	present chan []tel.Event
	events  chan tel.Event
	end     func() // of the source
}

// run starts a hub inside a bubble and ends it with the test.
func run(t *testing.T) *office {
	t.Helper()
	o := &office{Hub: newHub(t), present: make(chan []tel.Event), events: make(chan tel.Event)}
	ctx, cancel := context.WithCancel(t.Context())
	over, end := context.WithCancel(ctx)
	o.end = end
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.Run(ctx, func(ctx context.Context, present func([]tel.Event), apply func(tel.Event)) {
			for {
				select {
				case all := <-o.present:
					present(all)
				case e := <-o.events:
					apply(e)
				case <-over.Done():
					return
				}
			}
		})
	}()
	t.Cleanup(func() { // runs inside the bubble
		cancel()
		<-done
	})
	return o
}

func (o *office) join(t *testing.T, lang string) *Viewer {
	t.Helper()
	v, ok := o.Join(lang, false)
	if !ok {
		t.Fatal("not let in")
	}
	return v
}

// tick lets the hub push what is dirty.
func tick() {
	time.Sleep(interval)
	synctest.Wait()
}

// read takes the frames that are there, clocks left out.
func read(v *Viewer) (frames []string) {
	for {
		select {
		case f, open := <-v.Frames():
			if !open {
				return append(frames, "closed")
			}
			if !bytes.HasPrefix(f, []byte("event: clock")) {
				frames = append(frames, string(f))
			}
		default:
			return frames
		}
	}
}

var ringing = tel.AgentChanged{Agent: "anna", State: tel.AgentRinging}

func TestAViewerGetsEverythingOnceAndThenOnlyWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		v := o.join(t, "en")
		tick()
		f := read(v)
		if len(f) != 2 || !strings.Contains(f[0], "event: version") || !strings.HasPrefix(f[1], "event: part\n") {
			t.Fatalf("at first: %q", f)
		}
		for _, s := range view.Sections() {
			if n := strings.Count(f[1], `id="part-`+s+`"`); n != 1 {
				t.Errorf("%s comes %d times at first", s, n)
			}
		}
		o.events <- ringing
		tick()
		f = read(v)
		if len(f) != 1 || !strings.Contains(f[0], `id="agent-anna" class="tile ringing"`) || strings.Contains(f[0], "agent-bruno") || strings.Contains(f[0], "part-lines") {
			t.Fatalf("after a change of Anna: %q", f)
		}
		tick()
		if f = read(v); len(f) != 0 {
			t.Fatalf("without a change: %q", f)
		}
	})
}

func TestAChangeIsRenderedOncePerLanguageHoweverManyRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		for range 30 {
			o.join(t, "it")
			o.join(t, "en")
		}
		tick()
		sections := int64(len(view.Sections()))
		if got := o.Stats().Rendered; got != 2*sections {
			t.Fatalf("60 viewers who join: %d fragments, want %d", got, 2*sections)
		}
		before := o.Stats().Rendered
		for range 50 { // within one tick
			o.events <- ringing
		}
		tick()
		if got := o.Stats().Rendered - before; got != 2*4 { // summary, notices, counts, Anna's tile
			t.Fatalf("50 changes in one tick: %d fragments, want 8", got)
		}
	})
}

// A page that is opened before the source has spoken would show an office without its calls.
func TestThereIsNoPictureBeforeTheSourceHasToldWhatHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		full := func() bool {
			select {
			case <-o.Full():
				return true
			default:
				return false
			}
		}
		o.events <- ringing
		tick()
		if full() {
			t.Fatal("an event alone makes a picture")
		}
		o.present <- []tel.Event{ringing, tel.QueueJoined{Queue: "sales", Call: "c1", Caller: "+39061", At: time.Now()}}
		<-o.Full()
		html, err := o.Page("en", page.Reader{}, time.Now())
		if err != nil || !bytes.Contains(html, []byte(`id="agent-anna" class="tile ringing"`)) || !bytes.Contains(html, []byte(`id="wait-c1"`)) {
			t.Fatalf("the first page is not whole: %v\n%s", err, html)
		}
		o.present <- nil // after a gap
		tick()
		if !full() {
			t.Fatal("the first picture is taken back")
		}
	})
}

func TestNothingIsRenderedForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		for range 20 {
			o.events <- ringing
			tick()
		}
		if got := o.Stats().Rendered; got != 0 {
			t.Fatalf("%d fragments for nobody", got)
		}
		html, err := o.Page("en", page.Reader{}, time.Now())
		if err != nil || !bytes.Contains(html, []byte(`id="agent-anna" class="tile ringing"`)) {
			t.Fatalf("a page opened later is not up to date: %v", err)
		}
		v := o.join(t, "it")
		tick()
		o.Leave(v)
		before := o.Stats().Rendered
		o.events <- ringing
		tick()
		if got := o.Stats(); got.Rendered != before || got.Viewers != 0 {
			t.Fatalf("after the last has left: %+v, before %d", got, before)
		}
	})
}

func TestASlowViewerIsLetGoAndTheOthersNeverWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		slow, quick := o.join(t, "it"), o.join(t, "it")
		began := time.Now()
		for i := range 4 * lag {
			o.events <- tel.FiguresChanged{Calls: i}
			tick()
			for _, f := range read(quick) {
				if f == "closed" {
					t.Fatal("the quick one is let go")
				}
			}
		}
		if d := time.Since(began); d != 4*lag*interval {
			t.Fatalf("the hub took %v", d)
		}
		if got := o.Stats(); got.Viewers != 1 || got.LetGo != 1 {
			t.Fatalf("%+v, want one viewer left and one let go", got)
		}
		n := 0
		for range slow.Frames() {
			n++
		}
		if n != lag {
			t.Fatalf("the slow one held %d frames, want %d", n, lag)
		}
		o.Leave(slow) // as its handler does; must not close twice
	})
}

func TestViewersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		first := o.join(t, "it")
		for range MaxViewers - 1 {
			o.join(t, "en")
		}
		if _, ok := o.Join("it", false); ok {
			t.Fatal("one too many is let in")
		}
		o.Leave(first)
		if _, ok := o.Join("it", false); !ok {
			t.Fatal("a place that became free is not given")
		}
		if _, ok := o.Join("xx", false); ok {
			t.Fatal("a language that nobody speaks is let in")
		}
	})
}

func TestAfterAGapThePageShowsWhatHoldsAndNothingInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		v := o.join(t, "en")
		o.events <- tel.QueueJoined{Queue: "sales", Call: "gone", Caller: "+39061111111"}
		tick()
		read(v)
		o.present <- []tel.Event{
			tel.QueueJoined{Queue: "sales", Call: "here", Caller: "+39062222222"},
			tel.AgentChanged{Agent: "bruno", State: tel.AgentPaused},
		}
		tick()
		f := read(v)
		if len(f) != 1 {
			t.Fatalf("%d frames, want one: %q", len(f), f)
		}
		for _, s := range view.Sections() {
			if !strings.Contains(f[0], `id="part-`+s+`"`) {
				t.Errorf("%s is not sent again", s)
			}
		}
		if strings.Contains(f[0], "wait-gone") || !strings.Contains(f[0], "wait-here") || !strings.Contains(f[0], "1 person is waiting") || !strings.Contains(f[0], `class="tile paused"`) {
			t.Errorf("after the gap: %s", f[0])
		}
	})
}

func TestThereIsASignOfLifeEachSecondAndNoneAfterTheSourceHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		v := o.join(t, "it")
		tick()
		for len(v.Frames()) > 0 {
			<-v.Frames()
		}
		for range 10 {
			before := time.Now()
			f := <-v.Frames()
			if d := time.Since(before); !bytes.HasPrefix(f, []byte("event: clock\ndata: 20")) || d > heartbeat {
				t.Fatalf("%q after %v", f, d)
			}
		}
		o.end()
		synctest.Wait()
		if _, open := <-v.Frames(); open {
			t.Fatal("the stream goes on though nothing is followed")
		}
		if _, ok := o.Join("it", false); ok {
			t.Fatal("a viewer is let in though nothing is followed")
		}
	})
}

func TestEveryLineOfAFrameIsData(t *testing.T) {
	got := string(frame("part", []byte("<p>a\r\nevent: evil\n\nb</p>\n")))
	if want := "event: part\ndata: <p>a\ndata: event: evil\ndata: \ndata: b</p>\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// BenchmarkForty is the load of the reference: 60 agents, 40 viewers, 5 pushes a second with 6 agents
// and 2 queues changed in each. It prints the cost of a push, and what is held for viewers who lag
// while whole boards are sent.
func BenchmarkForty(b *testing.B) {
	h := newHub(b)
	m := h.newModel()
	for i := range 60 {
		m.Apply(tel.AgentChanged{Agent: tel.AgentID(fmt.Sprint(i)), Name: fmt.Sprintf("Operatore %d", i), State: tel.AgentReady, Since: time.Now()})
	}
	var viewers []*Viewer
	for i := range 40 {
		v, _ := h.Join([]string{"it", "en"}[i%2], false)
		viewers = append(viewers, v)
	}
	var sent int
	drain := func() {
		for _, v := range viewers {
			for len(v.frames) > 0 {
				sent += len(<-v.frames)
			}
		}
	}
	h.push(m, map[view.Part]bool{})
	drain()
	sent = 0
	states := tel.AgentStates()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		dirty := map[view.Part]bool{}
		for i := range 6 {
			for _, p := range m.Apply(tel.AgentChanged{Agent: tel.AgentID(fmt.Sprint((n*6 + i) % 60)), State: states[(n+i)%8], Since: time.Now()}) {
				dirty[p] = true
			}
		}
		for _, q := range []tel.QueueID{"sales", "support"} {
			for _, p := range m.Apply(tel.QueueJoined{Queue: q, Call: "c", Caller: "+39061234567", At: time.Now()}) {
				dirty[p] = true
			}
		}
		h.push(m, dirty)
		drain()
	}
	b.ReportMetric(float64(sent)/float64(b.N)/float64(len(viewers))*5/1000, "kB/s-per-viewer")
	before := heap()
	for range lag - 1 { // everybody lags as far as is borne
		h.push(m, map[view.Part]bool{{Section: view.SectionAgents}: true})
	}
	b.ReportMetric(float64(heap()-before)/1000, "kB-held-for-all-who-lag")
	if got := h.Stats(); got.Viewers != len(viewers) {
		b.Fatalf("%+v: viewers are gone", got)
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*5*100, "%-of-a-core-at-5Hz")
	runtime.KeepAlive(viewers)
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func TestWhoIsNotToKnowIsNeverSentWhoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := run(t)
		inside := o.join(t, "en")
		outside, ok := o.Join("en", true)
		if !ok {
			t.Fatal("not let in")
		}
		tick()
		read(inside)
		read(outside)
		for _, e := range []tel.Event{
			tel.QueueJoined{Queue: "sales", Call: "c", Caller: "390612345679", Name: "Studio Bianchi"},
			tel.CallChanged{Call: "d", Stage: tel.StageTalking, From: "393331234567", To: "201", DivertedBy: "390299999999"},
			tel.MissedChanged{Number: "393401112223", Name: "Signora Neri", Queue: "sales"},
			tel.CallbackChanged{Callback: "cb", Queue: "sales", State: tel.CallbackWaiting, Number: "393472223334", Caller: "393472223334", Name: "Signor Verdi"},
			tel.SMSReceived{SMS: tel.SMS{ID: "s", Line: "line:gsm0", From: "393498887776"}},
		} {
			o.events <- e
		}
		tick()
		told, kept := strings.Join(read(inside), ""), strings.Join(read(outside), "")
		html, err := o.Page("en", page.Reader{Name: "wall", Role: access.Reader}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{
			"390612345679", "Studio Bianchi", "393331234567", "390299999999", "393401112223", "Signora Neri", "393472223334", "Signor Verdi", "393498887776",
		} {
			if !strings.Contains(told, secret) {
				t.Errorf("who may know is not told %q", secret)
			}
			if strings.Contains(kept, secret) || strings.Contains(string(html), secret) {
				t.Errorf("who is not to know is told %q", secret)
			}
		}
		if !strings.Contains(kept, `id="call-d"`) || !strings.Contains(kept, "201") {
			t.Error("the calls are not shown at all")
		}
	})
}
