package voicemail

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/firmware/statefile"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// opens asks for a code and waits.
func (o *office) opens(of, pin string) bool {
	got := make(chan bool, 1)
	o.CheckPIN(of, pin, func(ok bool) { got <- ok })
	return <-got
}

func TestAChangedCodeHoldsUntilTheConfiguredOneChanges(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, Settings{Number: "201", PIN: "5831"}, Settings{Number: "202"})
	if !o.opens("201", "5831") || o.opens("201", "8264") {
		t.Error("the configured code does not open, or another does")
	}
	if o.opens("202", "") || o.opens("999", "") || o.opens("999", "5831") {
		t.Error("a box without code opens")
	}
	if err := o.SetPIN("201", "8264"); err != nil {
		t.Fatal(err)
	}
	if !o.opens("201", "8264") || o.opens("201", "5831") {
		t.Error("the new code does not open, or the old one does")
	}
	o.Close()
	text, err := os.ReadFile(filepath.Join(dir, "box", "201", pinFile))
	if err != nil || bytes.Contains(text, []byte("8264")) {
		t.Errorf("%s %v", text, err)
	}
	o = open(t, dir, Settings{Number: "201", PIN: "5831"})
	defer o.Close()
	if !o.opens("201", "8264") {
		t.Error("forgotten by a restart")
	}
	o.Configure([]Settings{{Number: "201", PIN: "6174"}}, map[string]string{"prompts": "3907"})
	if !o.opens("201", "6174") || o.opens("201", "8264") {
		t.Error("whoever lost the code cannot be given a new one")
	}
	if !o.opens("prompts", "3907") || o.opens("prompts", "6174") {
		t.Error("the lock of announcements")
	}
	if err := o.SetPIN("201", "1234"); !errors.Is(err, tel.ErrEasyPIN) {
		t.Errorf("%v", err)
	}
	if err := o.SetPIN("999", "8264"); !errors.Is(err, ErrNoBox) {
		t.Errorf("%v", err)
	}
}

func TestThreeWrongCodesCloseABoxForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, t.TempDir(), Settings{Number: "201", PIN: "5831"}, Settings{Number: "202", PIN: "5831"})
		defer o.Close()
		for range freeTries {
			if o.opens("201", "1111") {
				t.Fatal("a wrong code opens")
			}
		}
		if o.opens("201", "5831") {
			t.Error("the fourth try is not refused")
		}
		if !o.opens("202", "5831") {
			t.Error("another box is closed too")
		}
		time.Sleep(firstPause + time.Second)
		if o.opens("201", "2222") {
			t.Fatal("a wrong code opens")
		}
		time.Sleep(firstPause + time.Second)
		if o.opens("201", "5831") {
			t.Error("the second pause is not longer")
		}
		time.Sleep(firstPause)
		if !o.opens("201", "5831") {
			t.Error("closed for ever")
		}
		if o.opens("201", "1111") || !o.opens("201", "5831") {
			t.Error("a right code does not forget the wrong ones before")
		}
	})
}

func TestManyGuessesAtOnceAreManyTries(t *testing.T) {
	o := open(t, t.TempDir(), Settings{Number: "201", PIN: "5831"})
	defer o.Close()
	got := make(chan bool, 10)
	for i := range 10 {
		o.CheckPIN("201", "000"+string(rune('0'+i)), func(ok bool) { got <- ok })
	}
	for range 10 {
		<-got
	}
	if l := o.boxes["201"].tries; l.tries != freeTries || l.until.IsZero() {
		t.Errorf("%d of ten guesses at once were looked at, closed until %v", l.tries, l.until)
	}
}

func TestACodeThatCannotBeReadIsToldAndDoesNotOpen(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"noise":   func(path string) error { return os.WriteFile(path, []byte("\x00"), 0o600) },
		"no hash": func(path string) error { return statefile.Save(path, metaVersion, changedPIN{}) },
		"endless": func(path string) error { return statefile.Save(path, metaVersion, changedPIN{N: 2_000_000_000}) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "box", "201"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := spoil(filepath.Join(dir, "box", "201", pinFile)); err != nil {
				t.Fatal(err)
			}
			o := open(t, dir, Settings{Number: "201", PIN: "5831"})
			defer o.Close()
			if o.opens("201", "") || !o.opens("201", "5831") {
				t.Error("the configured code does not hold")
			}
		})
	}
}
