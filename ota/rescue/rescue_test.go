package rescue

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

func TestAStepComesAsItWasSaidOnOneLine(t *testing.T) {
	for _, s := range []Step{
		{Phase: Looking},
		{Phase: Writing, Version: "1.2.3", At: 7, Of: 9},
		{Phase: Checking, Version: "1.2.3", Of: 9},
		{Phase: Done, Version: "1.2.3", SHA256: strings.Repeat("ab", 32)},
		{Phase: Failed, Code: CodeRefused, Words: "two\nlines", Reasons: []release.Reason{{Code: release.LowerEpoch, Has: "2", Want: "1"}}},
	} {
		line := s.Encode()
		if strings.Count(string(line), "\n") != 1 {
			t.Errorf("%q is not one line", line)
		}
		if got, err := Decode(line); err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("%+v comes as %+v, %v", s, got, err)
		}
	}
}

func TestWhateverIsSaidFitsALine(t *testing.T) {
	s := Step{Phase: Failed, Code: slot.CodeTrust, Words: strings.Repeat("è\x01", 50_000)}
	for range 100 {
		s.Reasons = append(s.Reasons, release.Reason{Code: release.OtherModel, Has: strings.Repeat("<", 5000), Want: strings.Repeat("\x00", 5000)})
	}
	line := s.Encode()
	if len(line) > MostLine {
		t.Errorf("%d bytes", len(line))
	}
	if got, err := Decode(line); err != nil || got.Code != slot.CodeTrust || len(got.Reasons) != mostReasons {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"phase":"writing","at":1,"of":2}`))
	f.Add(Step{Phase: Failed, Code: CodeOlder, Reasons: []release.Reason{{Code: release.NoPart}}}.Encode())
	for _, wrong := range []string{"", "null", "[]", "{}", `{"phase":"dancing"}`, `{"phase":"writing","at":3,"of":2}`, `{"phase":"writing","at":-1}`, `{"phase":"done"`, strings.Repeat(" ", MostLine+1)} {
		f.Add([]byte(wrong))
		if _, err := Decode([]byte(wrong)); !errors.Is(err, ErrStep) {
			f.Errorf("%.40q: %v", wrong, err)
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		s, err := Decode(line)
		if err != nil {
			return
		}
		if s.At > s.Of || s.At < 0 || len(s.Words) > mostWords || len(s.Reasons) > mostReasons {
			t.Errorf("%q is taken for %+v", line, s)
		}
		if again, err := Decode(s.Encode()); err != nil || again.Phase != s.Phase {
			t.Errorf("%q: %+v, %v", line, again, err)
		}
	})
}
