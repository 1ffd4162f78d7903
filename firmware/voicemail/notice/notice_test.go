package notice

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheMailSaysWhoWhenAndHowLong(t *testing.T) {
	at := time.Date(2026, 10, 26, 14, 5, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		lang    string
		m       Message
		subject string
		has     []string
		hasNot  []string
	}{
		"a known caller": {
			"it",
			Message{Box: "201", Person: "Anna", From: "+39061234567", Name: "Società Rossi", At: at, Length: 9100 * time.Millisecond, Attached: true},
			"Messaggio in segreteria da Società Rossi (+39061234567)",
			[]string{"Gentile Anna,", "casella 201", "Quando: 26/10/2026 alle 14:05", "Durata: 10 secondi", "è allegato"},
			[]string{"troppo grande", "tolto"},
		},
		"a withheld number": {
			"it",
			Message{Box: "201", At: at, Length: time.Second},
			"Messaggio in segreteria da numero riservato",
			[]string{"Da: numero riservato", "Durata: 1 secondo\n"},
			[]string{"Gentile", "allegato"},
		},
		"too large for mail": {
			"en",
			Message{Box: "201", From: "202", At: at, Length: time.Second, TooLarge: true},
			"Voicemail from 202",
			[]string{"Length: 1 second\n", "too large"},
			[]string{"attached", "removed"},
		},
		"removed from the box": {
			"en",
			Message{Box: "201", Person: "Bob", From: "202", At: at, Length: 2 * time.Second, Attached: true, Gone: true},
			"Voicemail from 202",
			[]string{"Dear Bob,", "Length: 2 seconds", "attached", "removed"},
			nil,
		},
		"an unknown language": {"fr", Message{Box: "201", At: at}, "Voicemail from a withheld number", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			subject, text, err := Write(c.lang, c.m)
			if err != nil || subject != c.subject {
				t.Errorf("%q, %v", subject, err)
			}
			for _, s := range c.has {
				if !strings.Contains(text, s) {
					t.Errorf("no %q in\n%s", s, text)
				}
			}
			for _, s := range c.hasNot {
				if strings.Contains(text, s) {
					t.Errorf("%q in\n%s", s, text)
				}
			}
		})
	}
}
