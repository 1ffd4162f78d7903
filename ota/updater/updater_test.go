package updater_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pronto-pbx/pronto/images/layout"
	"github.com/pronto-pbx/pronto/ota/fit"
	"github.com/pronto-pbx/pronto/ota/otatest"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// in runs a test in virtual time, in which a day passes at once.
func in(t *testing.T, test func(t *testing.T, o *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newOffice(t)) })
}

func ended(s remote.State) bool { return s.Last != nil }

func waits(s remote.State) bool { return s.Phase == slot.Waiting }

func TestAReleaseIsFetchedWrittenProvedTriedInTheWindowAndKept(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0", func(m *release.Manifest) { m.Epoch = 7 })
		s := o.live(24*time.Hour, ended)
		if s.Last == nil || s.Last.Result != "kept" || o.runs() != "2.0.0" || o.facts.Chosen != slot.SlotB {
			t.Fatalf("%+v, %s runs", s, o.runs())
		}
		if len(o.trials) != 1 || o.trials[0].at.Hour() < 2 || o.trials[0].at.Hour() >= 5 {
			t.Errorf("trials: %+v", o.trials)
		}
		if len(o.before) != 1 || o.before[0] != o.counts {
			t.Errorf("the health check was told %+v of the office of before", o.before)
		}
		s = o.live(time.Hour, nil)
		if s.Running != (remote.Slot{Version: "2.0.0", State: remote.SlotRuns}) || s.Phase != slot.Kept || s.Offer != nil {
			t.Errorf("an hour later: %+v", s)
		}
		for name := range o.files {
			if strings.Contains(name, "parts/") {
				t.Errorf("%s is left", name)
			}
		}
		o.release("3.0.0", func(m *release.Manifest) { m.Epoch = 6 })
		if s = o.live(24*time.Hour, nil); s.Phase != slot.Kept || s.Offer == nil || s.Offer.Refused[0].Code != string(release.LowerEpoch) {
			t.Errorf("a release of an epoch that was left behind: %+v", s)
		}
	})
}

// Never while a call, an emergency call or a waiting caller exists, and not in the minute after the last one.
func TestNobodyOnThePhoneIsCutOff(t *testing.T) {
	for _, c := range []struct {
		busy  fit.Busy
		waits remote.WaitsFor
	}{
		{fit.Busy{Calls: 1}, remote.ForCalls},
		{fit.Busy{Calls: 1, Emergency: 1}, remote.ForEmergency},
		{fit.Busy{Waiting: 1}, remote.ForCallers},
	} {
		for _, asked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, asked %v", c.waits, asked), func(t *testing.T) {
				in(t, func(t *testing.T, o *office) {
					o.release("2.0.0")
					o.busy = c.busy
					o.live(23*time.Hour, waits)
					if asked {
						o.live(time.Hour, func(remote.State) bool { return o.u.Install(t.Context(), "2.0.0") == nil })
					}
					s := o.live(48*time.Hour, nil)
					if len(o.trials) != 0 || s.Phase != slot.Waiting {
						t.Fatalf("it was tried: %+v, %+v", o.trials, s)
					}
					o.live(24*time.Hour, func(s remote.State) bool { return s.WaitsFor == c.waits })
					left := time.Now()
					o.with(func() { o.busy = fit.Busy{} })
					o.live(24*time.Hour, ended)
					if len(o.trials) != 1 || o.trials[0].at.Sub(left) < time.Minute {
						t.Errorf("%+v, and the last call ended at %v", o.trials, left)
					}
				})
			})
		}
	}
}

// A call that begins at the last moment, while the vendor is asked, is seen.
func TestACallThatBeginsWhileTheVendorIsAskedIsWaitedFor(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0")
		o.live(24*time.Hour, waits)
		began := time.Time{}
		o.vendorAsks = func() {
			if o.now().Hour() >= 2 { // the window is open: it is asked right before the trial
				o.busy, began = fit.Busy{Calls: 1}, o.now()
			}
		}
		if s := o.live(4*time.Hour, nil); len(o.trials) != 0 || s.WaitsFor != remote.ForCalls || began.IsZero() {
			t.Errorf("%+v, %+v, a call began at %v", o.trials, s, began)
		}
	})
}

func TestAWithdrawnReleaseIsDropped(t *testing.T) {
	for _, when := range []slot.Phase{slot.Fetching, slot.Waiting} {
		t.Run("while "+string(when), func(t *testing.T) {
			in(t, func(t *testing.T, o *office) {
				o.release("2.0.0")
				o.busy = fit.Busy{Calls: 1}
				if when == slot.Fetching {
					o.free = 0
				}
				o.live(24*time.Hour, func(s remote.State) bool { return s.Phase == when })
				o.with(func() { o.offer, o.free = nil, 1<<30 })
				s := o.live(24*time.Hour, ended)
				if s.Last == nil || s.Last.Result != "refused" || s.Last.Code != slot.CodeWithdrew || len(o.trials) != 0 {
					t.Fatalf("%+v", s)
				}
				if otatest.Bootable(o.card.Content(), layout.SlotB) {
					t.Error("it would be started")
				}
				o.release("2.0.0")
				o.busy = fit.Busy{}
				if o.live(48*time.Hour, func(s remote.State) bool { return ended(s) && s.Last.Result == "kept" }); o.runs() != "2.0.0" {
					t.Error("it is not taken when it is offered again")
				}
			})
		})
	}
}

// The metadata are refreshed right before the trial: a release that was withdrawn since the last poll is not started.
func TestAReleaseThatIsWithdrawnBetweenTwoPollsIsNotStarted(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0")
		o.live(24*time.Hour, waits)
		o.vendorAsks = func() {
			if o.now().Hour() >= 2 { // the window is open: it is asked right before the trial
				o.offer = nil
			}
		}
		s := o.live(4*time.Hour, ended)
		if len(o.trials) != 0 || s.Last == nil || s.Last.Code != slot.CodeWithdrew || s.NextCheck.Hour() < 6 {
			t.Errorf("%+v, %+v", o.trials, s)
		}
	})
}

func TestNothingIsStartedThatTheVendorDoesNotConfirm(t *testing.T) {
	for _, err := range []error{release.ErrUnreachable, release.ErrExpired, release.ErrUntrusted} {
		t.Run(err.Error(), func(t *testing.T) {
			in(t, func(t *testing.T, o *office) {
				o.release("2.0.0")
				o.live(24*time.Hour, waits)
				o.with(func() { o.away = err })
				if s := o.live(72*time.Hour, func(s remote.State) bool { return s.WaitsFor == remote.ForVendor }); s.WaitsFor != remote.ForVendor || len(o.trials) != 0 {
					t.Fatalf("%+v, %+v", s, o.trials)
				}
				o.with(func() { o.away = nil })
				if o.live(72*time.Hour, ended); o.runs() != "2.0.0" {
					t.Errorf("%s runs", o.runs())
				}
			})
		})
	}
}

func TestWhatIsUnfitGoesBackAndIsNotTriedAgainUnlessIssuedAgainOrAskedFor(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0")
		o.unfit["2.0.0"] = fit.Check{Name: fit.CheckCall, Words: "no tone was heard"}
		s := o.live(24*time.Hour, ended)
		if s.Last == nil || s.Last.Result != "back" || s.Last.Code != "fit_call" || s.Last.Words != "no tone was heard" || o.runs() != "1.0.0" {
			t.Fatalf("%+v, %s runs", s, o.runs())
		}
		s = o.live(96*time.Hour, nil)
		if len(o.trials) != 1 || s.Last.Seen || s.Offer == nil || s.Offer.Refused[0].Code != "failed" {
			t.Errorf("it was tried %d times; %+v", len(o.trials), s)
		}
		if otatest.Bootable(o.card.Content(), layout.SlotB) {
			t.Error("what was given up could be started")
		}
		o.release("2.0.0", func(m *release.Manifest) { m.Rollout.Percent = 50 })
		if o.live(48*time.Hour, nil); len(o.trials) != 1 {
			t.Error("another percentage had it tried again")
		}
		o.live(time.Hour, func(remote.State) bool { return o.u.Seen(t.Context()) == nil })
		if s := o.live(time.Minute, nil); !s.Last.Seen || s.Phase != slot.Idle {
			t.Errorf("after it was read: %+v", s)
		}
		o.release("2.0.0", func(m *release.Manifest) { m.Homepage = "https://example.com/again" })
		if o.live(48*time.Hour, func(remote.State) bool { return o.tried() == 2 }); len(o.trials) != 2 {
			t.Error("issued again it was not tried")
		}
		o.live(time.Hour, func(s remote.State) bool { return s.Last != nil && !s.Last.Seen })
		delete(o.unfit, "2.0.0")
		o.live(12*time.Hour, func(s remote.State) bool { return s.Offer != nil && o.u.Install(t.Context(), "2.0.0") == nil })
		if o.live(time.Hour, func(s remote.State) bool { return s.Phase == slot.Kept }); o.runs() != "2.0.0" {
			t.Errorf("asked for, it was not kept: %s runs", o.runs())
		}
	})
}

func TestACommitThatFailsIsTheWayBack(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0")
		o.keeps = errors.New("the sector was read back otherwise")
		s := o.live(24*time.Hour, ended)
		if s.Last == nil || s.Last.Result != "back" || s.Last.Code != slot.CodeSlots || o.runs() != "1.0.0" || len(o.trials) != 1 {
			t.Errorf("%+v, %s runs", s, o.runs())
		}
	})
}

func TestWhoOptedOutIsOnlyTold(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.auto = false
		o.release("2.0.0", func(m *release.Manifest) { m.Severity = release.Security })
		s := o.live(96*time.Hour, nil)
		if len(o.opened) != 0 || s.Phase != slot.Idle || s.Offer == nil || s.Offer.Version != "2.0.0" || s.Offer.Notes["it"] == "" {
			t.Fatalf("%+v, %v", s, o.opened)
		}
		asked := time.Now()
		o.live(12*time.Hour, func(s remote.State) bool { return s.Offer != nil && o.u.Install(t.Context(), "2.0.0") == nil })
		o.live(time.Hour, ended)
		if o.runs() != "2.0.0" || time.Since(asked) > 13*time.Hour {
			t.Errorf("%s runs after %v", o.runs(), time.Since(asked))
		}
	})
}

func TestAnOwnerPostpones(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.release("2.0.0")
		until := time.Now().Add(100 * time.Hour)
		o.live(time.Minute, func(remote.State) bool { return o.u.Postpone(t.Context(), until) == nil })
		o.live(10*24*time.Hour, ended)
		if len(o.trials) != 1 || o.trials[0].at.Before(until) {
			t.Errorf("%+v, postponed until %v", o.trials, until)
		}
		var refused *remote.Refused
		o.live(time.Minute, func(remote.State) bool {
			return errors.As(o.u.Postpone(t.Context(), time.Now().Add(365*24*time.Hour)), &refused)
		})
		if refused == nil || refused.Code != remote.CodeMistaken {
			t.Errorf("a year: %v", refused)
		}
	})
}

func TestTheReleaseOfTheTrialIsJudgedByOneThatRemembersNothing(t *testing.T) {
	for _, unfit := range []bool{false, true} {
		t.Run(fmt.Sprintf("unfit %v", unfit), func(t *testing.T) {
			in(t, func(t *testing.T, o *office) {
				o.release("2.0.0")
				if unfit {
					o.unfit["2.0.0"] = fit.Check{Name: fit.CheckStore, Words: "x"}
				}
				o.boots = func(try bool) {
					if try {
						delete(o.files, "/data/update/state.json")
					}
				}
				s := o.live(24*time.Hour, ended)
				want := map[bool]string{false: "kept", true: "back"}[unfit]
				if s.Last == nil || s.Last.Result != want || s.Last.Version != "2.0.0" {
					t.Errorf("%+v, %s runs", s, o.runs())
				}
				if o.live(96*time.Hour, nil); len(o.trials) != 1 {
					t.Errorf("tried %d times", len(o.trials))
				}
			})
		})
	}
}

// Boxes without a vendor have no updates, and say so; a slot on trial is judged all the same.
func TestWithoutAVendorNothingIsInstalled(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.vendor = false
		o.facts.Running, o.facts.Trying = slot.SlotA, true
		s := o.live(time.Hour, func(s remote.State) bool { return s.Phase == slot.Kept })
		if s.Phase != slot.Kept || s.Enabled || s.Why != remote.OffVendor || s.Last.Version != "1.0.0" {
			t.Errorf("%+v", s)
		}
		for name, ask := range map[string]func() error{
			"check":   func() error { return o.u.Check(t.Context()) },
			"install": func() error { return o.u.Install(t.Context(), "2.0.0") },
			"bundle":  func() error { return o.u.Bundle(t.Context(), strings.NewReader("signed 2.0.0")) },
		} {
			o.live(time.Minute, func(remote.State) bool {
				var refused *remote.Refused
				if err := ask(); !errors.As(err, &refused) || refused.Code != slot.CodeOff {
					t.Errorf("%s: %v", name, err)
				}
				return true
			})
		}
	})
}

func TestWhereSomebodyElseInstallsAReleaseIsOnlyShown(t *testing.T) {
	in(t, func(t *testing.T, o *office) {
		o.off = remote.OffContainer
		o.release("2.0.0")
		s := o.live(24*time.Hour, nil)
		if s.Enabled || s.Why != remote.OffContainer || s.Offer == nil || len(o.opened) != 0 || s.Phase != slot.Idle {
			t.Errorf("%+v", s)
		}
	})
}
