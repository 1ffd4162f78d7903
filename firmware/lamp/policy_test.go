package lamp

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sequence is what an eye that sees no colour and no brightness sees, frame by frame.
func sequence(p Pattern, length time.Duration) []bool {
	var seq []bool
	for t := time.Duration(0); t < length; t += Frame {
		l, _ := p.At(t)
		seq = append(seq, l.Brightness > 0)
	}
	return seq
}

func TestTheUsualTableIsFitForAHouse(t *testing.T) {
	if f := Usual().Check(); len(f) != 0 {
		t.Errorf("%+v", f)
	}
	if len(States()) != 29 || len(Usual()) != len(States()) {
		t.Errorf("%d states, %d rows", len(States()), len(Usual()))
	}
}

// It is judged by other means than Check: every phase of one state against every phase of the other, frame by frame.
func TestThePatternAloneNamesTheState(t *testing.T) {
	const look = 10 * time.Second
	for _, family := range families() {
		for i, a := range family {
			pa := Usual().Of(a)
			whole := sequence(pa, look+pa.Period())
			for _, b := range family[i+1:] {
				pb := Usual().Of(b)
				other := sequence(pb, look+pb.Period())
				n := int(look / Frame)
				for x := 0; x+n <= len(whole); x++ {
					for y := 0; y+n <= len(other); y++ {
						if slices.Equal(whole[x:x+n], other[y:y+n]) {
							t.Fatalf("%v from frame %d looks like %v from frame %d", a, x, b, y)
						}
					}
				}
			}
		}
	}
}

func TestNothingBlinksFasterThanTwoAndAHalfTimesASecond(t *testing.T) {
	for s, row := range Usual() {
		last, lit := -time.Hour, true
		for i, on := range sequence(row.Pattern(), 20*time.Second) {
			at := time.Duration(i) * Frame
			if on && !lit {
				if at-last < 400*time.Millisecond {
					t.Errorf("%v turns on %v after it last did", s, at-last)
				}
				last = at
			}
			lit = on
		}
	}
}

func TestThePatternsAreThoseOfTheStateTable(t *testing.T) {
	for _, c := range []struct {
		state   State
		period  time.Duration
		flashes int // per period
		lit     time.Duration
	}{
		{OfAgent(tel.AgentReady), 4 * time.Second, 1, 60 * time.Millisecond},
		{OfAgent(tel.AgentRinging), 500 * time.Millisecond, 1, 260 * time.Millisecond},
		{OfAgent(tel.AgentWrapUp), 2 * time.Second, 1, time.Second},
		{OfAgent(tel.AgentPaused), 3 * time.Second, 2, 280 * time.Millisecond},
		{OfAgent(tel.AgentUnreachable), 5 * time.Second, 3, 360 * time.Millisecond},
		{OfAgent(tel.AgentInternal), 2 * time.Second, 1, 1900 * time.Millisecond},
		{OfAgent(tel.AgentOutbound), 2 * time.Second, 2, 1800 * time.Millisecond},
		{OfAgent(tel.AgentHold), 2 * time.Second, 1, 1500 * time.Millisecond},
		{OfAgent(tel.AgentReserved), time.Second, 1, 500 * time.Millisecond},
		{Help, time.Second, 2, 200 * time.Millisecond},
		{QueueLate, time.Second, 1, 500 * time.Millisecond},
		{LineFault, time.Second, 2, 800 * time.Millisecond},
		{Failure, 5 * time.Second, 1, 60 * time.Millisecond},
	} {
		p := Usual().Of(c.state)
		flashes, lit := 0, time.Duration(0)
		for i, s := range p {
			if s.Level.Brightness > 0 {
				lit += s.For
				if p[(i+len(p)-1)%len(p)].Level.Brightness == 0 {
					flashes++
				}
			}
		}
		if p.Period() != c.period || flashes != c.flashes || lit != c.lit {
			t.Errorf("%v: %d flashes, lit %v of %v; want %d, %v of %v", c.state, flashes, lit, p.Period(), c.flashes, c.lit, c.period)
		}
	}
	if l, lasts := Usual().Of(OfAgent(tel.AgentTalking)).At(time.Hour); l.Brightness != 255 || lasts >= 0 {
		t.Errorf("talking is not steady: %+v %v", l, lasts)
	}
	if l, _ := Usual().Of(OfAgent(tel.AgentInternal)).At(0); l.Brightness != 102 {
		t.Errorf("internal is at %d, want 40 %%", l.Brightness)
	}
	if l, _ := Usual().Of(OfAgent(tel.AgentInternal)).At(0); l.Dimmed(1).Brightness == 0 {
		t.Error("the darkest night factor turns a lit lamp off")
	}
	fault := Usual().Of(LineFault)
	if fault[0].Level.G == fault[2].Level.G {
		t.Errorf("a line's fault does not alternate: %+v", fault)
	}
}

var (
	amber  = Colour{255, 180, 0}
	blue   = Colour{0, 0, 255}
	violet = Colour{190, 90, 255}
	white  = Colour{255, 255, 255}
)

func ms(all ...int) (d []time.Duration) {
	for _, n := range all {
		d = append(d, time.Duration(n)*time.Millisecond)
	}
	return d
}

func TestATableIsRefusedWithWhatIsWrong(t *testing.T) {
	ringing := func(r Row) Row { r.State = OfAgent(tel.AgentRinging); return r }
	for name, c := range map[string]struct {
		row  Row
		code string
		with State
	}{
		"blinks too fast":                     {ringing(Row{Colours: []Colour{amber}, Percent: 100, Rhythm: ms(180, 200)}), "fast", ""},
		"too fast in the second half":         {ringing(Row{Colours: []Colour{amber}, Percent: 100, Rhythm: ms(500, 500, 100, 200)}), "fast", ""},
		"not on the grid":                     {ringing(Row{Colours: []Colour{amber}, Percent: 100, Rhythm: ms(250, 250)}), "rhythm", ""},
		"one step without its partner":        {ringing(Row{Colours: []Colour{amber}, Percent: 100, Rhythm: ms(260, 240, 100)}), "rhythm", ""},
		"no light":                            {ringing(Row{Colours: []Colour{amber}, Rhythm: ms(260, 240)}), "percent", ""},
		"black":                               {ringing(Row{Colours: []Colour{{}}, Percent: 100, Rhythm: ms(260, 240)}), "colour", ""},
		"steady, as talking is":               {ringing(Row{Colours: []Colour{amber}, Percent: 100, Rhythm: ms(500)}), "alike", OfAgent(tel.AgentTalking)},
		"dark, as who is logged out":          {ringing(Row{}), "alike", OfAgent(tel.AgentLoggedOut)},
		"nearly as a reservation":             {ringing(Row{Colours: []Colour{amber}, Percent: 100, Rhythm: ms(560, 440)}), "alike", OfAgent(tel.AgentReserved)},
		"as the alarm, two colours":           {ringing(Row{Colours: []Colour{amber, violet}, Percent: 100, Rhythm: ms(600, 200)}), "alike", Alarm},
		"green that is red for some":          {ringing(Row{Colours: []Colour{{200, 60, 0}}, Percent: 100, Rhythm: ms(260, 240)}), "hue", OfAgent(tel.AgentTalking)},
		"a failure that looks free, in white": {Row{State: Failure, Colours: []Colour{white}, Percent: 100, Rhythm: ms(60, 4240)}, "alike", OfAgent(tel.AgentReady)},
	} {
		t.Run(name, func(t *testing.T) {
			found := Usual().With(c.row).Check()
			if !slices.ContainsFunc(found, func(f Fault) bool {
				return f.Code == c.code && (c.with == "" && f.State == c.row.State || c.with != "" && (f.State == c.with && f.Other == c.row.State || f.Other == c.with && f.State == c.row.State)) && f.Text != ""
			}) {
				t.Errorf("found %+v", found)
			}
		})
	}
	if f := Usual().With(ringing(Row{Colours: []Colour{blue}, Percent: 10, Rhythm: ms(200, 200)})).Check(); len(f) != 0 {
		t.Errorf("a row of another taste is refused: %+v", f)
	}
}

func TestTheDistanceIsThatOfTheWorstEye(t *testing.T) {
	// Red and green of the primaries, by an implementation of the same papers in another language.
	if d := Distance(Colour{R: 255}, Colour{G: 255}); d < 27.7 || d > 27.9 {
		t.Errorf("%.2f", d)
	}
	if d := Distance(white, white); d != 0 {
		t.Errorf("%.2f", d)
	}
}

func TestALampJoinsTheOthersWithoutAFlash(t *testing.T) {
	epoch := time.Unix(0, 0)
	random := rand.New(rand.NewPCG(1, 2))
	for s, row := range Usual() {
		p := row.Pattern()
		for range 200 {
			now := epoch.Add(time.Duration(random.IntN(100_000)) * time.Millisecond)
			seen := Level{Brightness: uint8(random.IntN(2) * 255)}
			shine := Begin(p, epoch, now, seen)
			first, _ := shine.At(now)
			if blinks := len(runs(p)) > 1; blinks && (first.Brightness > 0) == (seen.Brightness > 0) {
				t.Fatalf("%s at %v begins as it was: %+v", s, now.Sub(epoch), first)
			}
			level, lit, at := first, now.Add(-time.Hour), now
			for at.Sub(now) < 30*time.Second {
				l, lasts := shine.At(at)
				if l.Brightness > 0 && level.Brightness == 0 {
					if at.Sub(lit) < 400*time.Millisecond {
						t.Fatalf("%s: lit again %v after %v", s, at.Sub(lit), lit.Sub(now))
					}
					lit = at
				}
				if l.Brightness > 0 && at.Equal(now) {
					lit = now
				}
				level = l
				if lasts < 0 {
					break
				}
				if lasts == 0 {
					t.Fatalf("%s lasts no time at %v", s, at.Sub(now))
				}
				at = at.Add(lasts)
			}
			for range 20 { // by then it is with the others
				later := now.Add(3*p.Period() + time.Duration(random.IntN(60_000))*time.Millisecond)
				got, _ := shine.At(later)
				if want, _ := p.At(later.Sub(epoch)); got != want {
					t.Fatalf("%s, begun at %v, shows %+v at %v; the others %+v", s, now.Sub(epoch), got, later.Sub(epoch), want)
				}
			}
		}
	}
}

func TestTheNightIsByTheClockOfTheOffice(t *testing.T) {
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	late := Night{From: 20 * time.Hour, To: 7*time.Hour + 30*time.Minute, Percent: 20, Zone: rome}
	noon := Night{From: 13 * time.Hour, To: 15 * time.Hour, Percent: 1, Zone: rome}
	for _, c := range []struct {
		n    Night
		at   string // UTC
		full uint8
	}{
		{late, "2026-07-01T17:59:59Z", 255},
		{late, "2026-07-01T18:00:00Z", 51},
		{late, "2026-01-15T18:30:00Z", 255},
		{late, "2026-01-15T19:00:00Z", 51},
		{late, "2026-07-02T05:29:59Z", 51},
		{late, "2026-07-02T05:30:00Z", 255},
		{noon, "2026-07-02T11:30:00Z", 2},
		{noon, "2026-07-02T13:00:00Z", 255},
		{Night{}, "2026-07-02T02:00:00Z", 255},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.n.Full(255, at); got != c.full {
			t.Errorf("%+v at %s: %d, want %d", c.n, c.at, got, c.full)
		}
	}
}

func TestWhatALampSaysFollowsFromTheFacts(t *testing.T) {
	t0 := time.Unix(1000, 0)
	queue := func(lens Lens) Subject { return Subject{Kind: Queue, ID: "sales", Lens: lens} }
	waits := Facts{Oldest: t0, Target: 20 * time.Second}
	for name, c := range map[string]struct {
		of      Subject
		facts   Facts
		after   time.Duration
		want    State
		changes time.Duration // 0: never
	}{
		"an agent who talks":                 {Subject{Kind: Agent, ID: "a"}, Facts{Agent: tel.AgentTalking}, 0, "talking", 0},
		"who asks for help":                  {Subject{Kind: Desk, ID: "201"}, Facts{Agent: tel.AgentTalking, Help: true}, 0, Help, 0},
		"who is supervised":                  {Subject{Kind: Agent, ID: "a"}, Facts{Agent: tel.AgentHold, Supervised: true}, 0, Supervised, 0},
		"who was supervised before":          {Subject{Kind: Agent, ID: "a"}, Facts{Agent: tel.AgentWrapUp, Supervised: true}, 0, "wrap_up", 0},
		"an empty queue":                     {queue(NoLens), Facts{Target: time.Second}, 0, QueueCalm, 0},
		"a queue with callers":               {queue(NoLens), waits, 19 * time.Second, QueueWaits, 20 * time.Second},
		"a queue past its target":            {queue(NoLens), waits, 20 * time.Second, QueueLate, 0},
		"the green lamp of an empty queue":   {queue(Green), Facts{}, 0, StackCalm, 0},
		"the red lamp of an empty queue":     {queue(Red), Facts{}, 0, Dark, 0},
		"the amber lamp of one with callers": {queue(Amber), waits, 0, StackWaits, 20 * time.Second},
		"the red lamp of one with callers":   {queue(Red), waits, 0, Dark, 20 * time.Second},
		"the red lamp past the target":       {queue(Red), waits, time.Minute, StackLate, 0},
		"a line not yet heard of":            {Subject{Kind: Line, ID: "line:gsm0"}, Facts{}, 0, LineOff, 0},
		"a line with a fault":                {Subject{Kind: Line, ID: "line:gsm0"}, Facts{Line: LineFault}, 0, LineFault, 0},
		"the box":                            {Subject{Kind: System}, Facts{}, 0, SystemWell, 0},
		"the box in trouble":                 {Subject{Kind: System}, Facts{Trouble: true}, 0, SystemTrouble, 0},
		"nobody":                             {Subject{}, Facts{Agent: tel.AgentReady}, 0, Dark, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, changes := c.facts.State(c.of, t0.Add(c.after))
			want := time.Time{}
			if c.changes > 0 {
				want = t0.Add(c.changes)
			}
			if got != c.want || !changes.Equal(want) {
				t.Errorf("%s until %v, want %s until %v", got, changes, c.want, want)
			}
		})
	}
}

func TestALineOnItsWayIsNoFault(t *testing.T) {
	for name, c := range map[string]struct {
		line tel.LineChanged
		want State
	}{
		"works":           {tel.LineChanged{Up: true, Cause: tel.LineOK}, LineIdle},
		"talks":           {tel.LineChanged{Up: true, Calls: 1, Cause: tel.LineInUse}, LineInUse},
		"logs in":         {tel.LineChanged{Cause: tel.LineRegistering}, LineOff},
		"is switched off": {tel.LineChanged{Cause: tel.LineDisabled}, LineOff},
		"has no SIM":      {tel.LineChanged{Cause: tel.LineNoSIM}, LineFault},
		"is refused":      {tel.LineChanged{Cause: tel.LineRefused}, LineFault},
	} {
		if got := LineStateOf(c.line); got != c.want {
			t.Errorf("one that %s: %s, want %s", name, got, c.want)
		}
	}
}

func FuzzReadSubject(f *testing.F) {
	for _, s := range []string{"", "agent:anna", "desk:201", "queue:sales", "trunk:tim", "line:gsm0", "system", "agent:", "x:y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, ok := ReadSubject(text); ok && s.String() != text {
			t.Fatalf("%q is read as %+v", text, s)
		}
	})
}
