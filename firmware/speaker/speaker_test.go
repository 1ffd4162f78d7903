package speaker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// programEnv makes this test the process that has a program say texts.
const programEnv = "-speaker="

func TestMain(m *testing.M) {
	if program, is := strings.CutPrefix(os.Args[len(os.Args)-1], programEnv); is {
		if err := Serve(os.NewFile(3, "exchange"), program); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// started is a Speaker in a process of its own, whose synthesiser is a script.
func started(t *testing.T, script string) *Speaker {
	t.Helper()
	path := filepath.Join(t.TempDir(), "synthesiser")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(self, programEnv+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestAnotherProcessSaysWhatIsWrittenInTheLanguageAsked(t *testing.T) {
	s := started(t, `echo "$@"; cat`)
	for _, lang := range []string{"it", "en"} {
		got, err := s.Speak(t.Context(), lang, "è chiuso")
		if want := "-v " + voices()[lang] + " -s 145 --stdin --stdout\nè chiuso"; err != nil || string(got) != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
}

func TestItKnowsNothingOfTheExchange(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/secret")
	s := started(t, "env")
	got, err := s.Speak(t.Context(), "it", "x")
	if err != nil || strings.Contains(string(got), "NOTIFY_SOCKET") {
		t.Errorf("%q %v", got, err)
	}
}

func TestWhatFailsIsSaidAndTheNextTextIsSpoken(t *testing.T) {
	s := started(t, `read text; [ "$text" = good ] || { echo "no such $text" >&2; exit 1; }; echo spoken`)
	if _, err := s.Speak(t.Context(), "it", "voice\n"); !errors.Is(err, ErrFails) || !strings.Contains(err.Error(), "no such voice") {
		t.Errorf("%v", err)
	}
	if got, err := s.Speak(t.Context(), "it", "good\n"); err != nil || string(got) != "spoken\n" {
		t.Errorf("%q %v", got, err)
	}
}

func TestWhoHasStoppedWaitingGetsNoAnswerThatIsNotHis(t *testing.T) {
	s := started(t, `read text; [ "$text" = slow ] && sleep 0.3; echo "$text"`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Speak(ctx, "it", "slow\n"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if got, err := s.Speak(t.Context(), "it", "next\n"); err != nil || string(got) != "next\n" {
		t.Errorf("%q %v", got, err)
	}
}
