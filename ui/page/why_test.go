package page

import (
	"slices"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/i18n"
)

// The log's English never reaches a page: every reason has words of its own in each language, and the page
// holds no text that is marked as being in another one.
func TestEveryReasonOfAnOfferIsWordedInBothLanguages(t *testing.T) {
	for _, lang := range i18n.Languages() {
		cat, err := i18n.Load(lang)
		if err != nil {
			t.Fatal(err)
		}
		r, err := New(cat)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range tel.OfferMerits() {
			for _, why := range []tel.OfferReason{
				{Merit: m}, {Merit: m, Value: 7, By: "carla", BestSkilled: true, Free: 1, Levels: true, Level: 3, More: true}, {Merit: m, Free: 4},
			} {
				c := Caller{Box: "B", Call: "c1", Offer: &Offer{Agent: "Anna", Why: Because(why), More: why.More, Passed: []Verdict{{Person: Person{Name: "Bruno"}, Says: Said{Sentence: "why.shift_over"}}}}}
				html, err := r.Caller(c, at)
				if err != nil {
					t.Fatal(err)
				}
				if text := string(html); strings.Contains(text, "⟦") || strings.Contains(text, `<small lang="en"`) {
					t.Errorf("%s, %+v:\n%s", lang, why, text)
				}
				if lang == "it" && m != tel.MeritAssigned {
					english := why.String()
					english, _, _ = strings.Cut(english, " of ")
					if strings.Contains(string(html), english) {
						t.Errorf("the page says %q", english)
					}
				}
			}
		}
	}
}

func TestAReasonIsSaidInOrder(t *testing.T) {
	var got []string
	for _, s := range Because(tel.OfferReason{Merit: tel.MeritLeastTalk, Value: 95, BestSkilled: true, Free: 3, Levels: true, Level: 2}) {
		got = append(got, s.Sentence)
		if s.Sentence == "because.least_talk" && s.Args[0] != "1:35" {
			t.Errorf("talked %v", s.Args)
		}
	}
	if want := []string{"because.best_skilled", "because.least_talk", "because.free.other", "because.level"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The caller's page says how long the wait will probably last, and nothing where that is not known.
func TestACallersPageSaysTheExpectedWaitWhereItIsKnown(t *testing.T) {
	cat, err := i18n.Load("en")
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(cat)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to int
		want     string
	}{{2, 5, "2 to 5 more minutes"}, {0, 2, "less than 2 min more"}, {60, 0, "more than 60 min more"}, {0, 0, ""}} {
		html, err := r.Caller(Caller{Box: "B", Call: "c1", From: c.from, To: c.to}, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(html), cat.T("floor.expected")); got != (c.want != "") || !strings.Contains(string(html), c.want) {
			t.Errorf("%d to %d:\n%s", c.from, c.to, html)
		}
	}
}
