package main_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/fit/exam"
	"github.com/pronto-pbx/pronto/ota/fit/selfcall"
)

// inHaste are rules that wait for nothing: the patience of the judge is tried in virtual time.
func inHaste() fit.Rules {
	return fit.Rules{Stable: 300 * time.Millisecond, Patience: time.Millisecond, Limit: time.Minute, Look: 100 * time.Millisecond}
}

// The updater examines the exchange as it does with a release on trial: its call hears itself, the disk takes a record,
// the page answers. Nobody else hears of that call, and its account serves for nothing else.
func TestTheUpdatersCallGoesThroughAndIsToldToNobody(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1, TLS: true, LAN: "192.0.2.0/24, 127.77.0.0/16", SHA256: true, Home: []int{201, 202}})
	e := exam.New(slog.New(slog.DiscardHandler), control.Path(o.Dir), inHaste())
	before, err := e.Count(t.Context())
	if err != nil || before != (fit.Counts{People: 2, Queues: 1}) {
		t.Fatalf("%+v, %v", before, err)
	}
	report, err := e.Check(t.Context(), before)
	if err != nil || !report.Fit || len(report.Checks) != 10 {
		t.Errorf("%+v, %v", report, err)
	}
	if busy, err := e.Now(t.Context()); err != nil || !busy.Quiet() {
		t.Errorf("%+v, %v", busy, err)
	}
	account := offered(t, o)
	elsewhere := account
	elsewhere.Number = "201"
	if err := selfcall.Call(t.Context(), elsewhere, selfcall.UDP); err == nil || !strings.Contains(err.Error(), "answers the call with 403") {
		t.Errorf("the account calls a person: %v", err)
	}
	offered(t, o)
	if err := selfcall.Call(t.Context(), account, selfcall.UDP); err == nil || !strings.Contains(err.Error(), "does not take the password") {
		t.Errorf("an account outlives the next one: %v", err)
	}
	before.People++ // as if the release of before had read one more
	if report, err = e.Check(t.Context(), before); err != nil || report.Fit {
		t.Errorf("somebody is missing: %+v, %v", report, err)
	}
	now, err := o.Now()
	if err != nil || len(now.Calls) != 0 || len(now.Devices) != 0 || now.Today.Calls != 0 {
		t.Errorf("%+v, %v", now, err)
	}
	// What the disk was proved with is in the store, and no call is before it.
	if n := len(o.CallRecords(0)); n != 0 {
		t.Errorf("%d records", n)
	}
}

// offered is an account for one call.
func offered(t *testing.T, o *pbxtest.Office) (a selfcall.Account) {
	t.Helper()
	body, status, err := control.Ask(t.Context(), o.Dir, http.MethodPost, "/fit/call")
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(body, &a)
	}
	if err != nil || a.Number == "" {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	return a
}

// Everything answers, but no call has audio: such a release must not stay.
func TestAnExchangeThatCarriesNoAudioIsNotFit(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 1, Before: func(dir string) {
		file := filepath.Join(dir, "pronto.yaml")
		text, err := os.ReadFile(file)
		if err == nil { // an address that no machine has (RFC 5737)
			err = os.WriteFile(file, []byte(strings.Replace(string(text), "bind: 0.0.0.0", "bind: 192.0.2.1", 1)), 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}})
	e := exam.New(slog.New(slog.DiscardHandler), control.Path(o.Dir), inHaste())
	before, err := e.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, err := e.Check(t.Context(), before)
	why, _ := report.Failed()
	if err != nil || report.Fit || why.Name != fit.CheckCall || !strings.Contains(why.Words, "503") {
		t.Errorf("%+v, %v", report, err)
	}
}
