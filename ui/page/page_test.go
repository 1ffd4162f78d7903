package page

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
	"github.com/pronto-pbx/pronto/ui/view"
)

var at = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func renderer(t *testing.T) *Renderer {
	t.Helper()
	cat, err := i18n.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(cat)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// office has one of each element that is pushed alone.
func office() view.Office {
	m := view.NewModel("Bottega", []view.Queue{{ID: "sales", Name: "Vendite", Number: "400"}}, nil)
	for _, s := range tel.AgentStates() {
		id := tel.AgentID(s.String())
		m.Apply(tel.AgentChanged{Agent: id, Name: "Agent " + s.String(), State: s, Since: at})
		m.Apply(tel.LampChanged{Lamp: tel.LampID("l_" + s.String()), Agent: id, State: s, Fault: s == tel.AgentPaused})
	}
	m.Apply(tel.QueueJoined{Queue: "sales", Call: "c", Caller: "+39061234567", At: at})
	m.Apply(tel.QueueOffered{Queue: "sales", Call: "c", Offer: "o", Agent: "ringing"})
	return m.Office()
}

func TestAFragmentIsWhatThePageHoldsInItsPlace(t *testing.T) {
	r, o := renderer(t), office()
	whole, err := r.Office(o, Reader{}, at)
	if err != nil {
		t.Fatal(err)
	}
	parts := []view.Part{{Section: view.SectionQueues, ID: "sales"}}
	for _, s := range view.Sections() {
		parts = append(parts, view.Part{Section: s})
	}
	for _, a := range o.Agents {
		parts = append(parts, view.Part{Section: view.SectionAgents, ID: string(a.ID)})
	}
	for _, l := range o.Lamps {
		parts = append(parts, view.Part{Section: view.SectionLamps, ID: string(l.ID)})
	}
	for _, c := range o.States() {
		parts = append(parts, view.Part{Section: view.SectionStates, ID: c.State.String()})
	}
	if len(parts) != 1+len(view.Sections())+3*len(tel.AgentStates()) {
		t.Fatalf("%d parts", len(parts))
	}
	for _, p := range parts {
		html, err := r.Part(p, o, at)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(whole, html) || !bytes.Contains(html, []byte(` id="`)) || strings.Count(string(whole), string(html)) != 1 {
			t.Errorf("%v is not in the page once:\n%s", p, html)
		}
		if p.ID != "" && bytes.Contains(html, []byte("<section")) {
			t.Errorf("%v is a whole section", p)
		}
	}
}

func TestAnElementThatIsGoneGivesItsSection(t *testing.T) {
	html, err := renderer(t).Part(view.Part{Section: view.SectionAgents, ID: "nobody"}, office(), at)
	if err != nil || !bytes.Contains(html, []byte(`id="part-agents"`)) {
		t.Errorf("%v: %s", err, html)
	}
}

func TestEachStateHasAShapeOfItsOwn(t *testing.T) {
	seen := map[string]tel.AgentState{}
	for _, s := range tel.AgentStates() {
		g := string(glyph(s))
		if other, twice := seen[g]; twice {
			t.Errorf("%v looks like %v", s, other)
		}
		seen[g] = s
	}
}

func TestTimeIsSaidAsPeopleReadIt(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0:00", 59 * time.Second: "0:59", 61 * time.Second: "1:01", time.Hour - 1: "59:59",
		time.Hour: "1:00:00", 17*time.Hour + 2*time.Second: "17:00:02", 100 * time.Hour: "100:00:00",
	} {
		if got := elapsed(at.Add(d), at); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
