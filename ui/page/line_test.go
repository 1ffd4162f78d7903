package page

import (
	"bytes"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/tel"
	"github.com/pronto-pbx/pronto/ui/view"
)

func TestALineSaysWhatItLacksAndHowOftenItsSoundWasRepaired(t *testing.T) {
	r := renderer(t)
	for name, tt := range map[string]struct {
		line       tel.LineChanged
		says, lies string
	}{
		"no sound": {tel.LineChanged{Up: true, Cause: tel.LineNoSound}, "text messages only", "bad audio"},
		"knocked":  {tel.LineChanged{Up: true, Cause: tel.LineOK, Calls: 1, Knocks: true}, "Another caller waits", "bad audio"},
		"repaired": {
			tel.LineChanged{Up: true, Cause: tel.LineOK, Sound: tel.LineSound{Calls: 9, Faults: 2, Restarts: 3}},
			"Calls with bad audio: 2; the modem was restarted: 3", "Another caller",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := view.NewModel("Bottega", nil, nil)
			tt.line.Line, tt.line.Name, tt.line.Type = "line:gsm0", "Mobile", "gsm"
			m.Apply(tt.line)
			html, err := r.Part(view.Part{Section: view.SectionLines}, m.Office(), at)
			if err != nil || !bytes.Contains(html, []byte(tt.says)) || bytes.Contains(html, []byte(tt.lies)) {
				t.Errorf("%v: %s", err, html)
			}
		})
	}
}
