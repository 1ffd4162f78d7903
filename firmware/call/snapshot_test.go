package call

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestSnapshotThenRestoreIsTheSameCall(t *testing.T) {
	for seed := range uint64(300) {
		w := newWorld(seed, 2)
		at := noon
		w.apply(t, Begin{w.first()}, at)
		for range w.r.IntN(12) {
			at = at.Add(time.Second)
			w.apply(t, w.random(at), at)
		}
		b, err := w.s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Restore(b)
		if err != nil {
			t.Fatal(err)
		}
		empty(&got)
		empty(&w.s)
		if !reflect.DeepEqual(got, w.s) {
			t.Fatalf("seed %d:\n got %+v\nwant %+v", seed, got, w.s)
		}
	}
}

// empty makes every list without elements nil, because JSON cannot tell the two apart.
func empty(s *State) {
	for i := range s.Groups {
		s.Groups[i].Legs = orNil(s.Groups[i].Legs)
		s.Groups[i].Vias = orNil(s.Groups[i].Vias)
	}
	s.Paged, s.Owed = orNil(s.Paged), orNil(s.Owed)
	for i := range s.Owed {
		s.Owed[i].Legs = orNil(s.Owed[i].Legs)
	}
	s.Watchers, s.Supervised = orNil(s.Watchers), orNil(s.Supervised)
	for i := range s.Watchers {
		s.Watchers[i].Modes = orNil(s.Watchers[i].Modes)
	}
	s.Groups, s.Moves, s.Lines = orNil(s.Groups), orNil(s.Moves), orNil(s.Lines)
	if s.Ring != nil {
		s.Ring.Branches = orNil(s.Ring.Branches)
	}
}

func orNil[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func TestASnapshotOfANewerProgramIsRefusedInWords(t *testing.T) {
	_, err := Restore([]byte(`{"v":99,"call":"c1"}`))
	if err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("got %v", err)
	}
}

func TestASnapshotOfTheProgramBeforeIsUnderstood(t *testing.T) {
	s, err := Restore([]byte(`{"v":1,"call":"c1","direction":"in","from":"+39333","to":"400","stage":"talking","answered":"2026-03-02T11:59:00Z","caller":{"id":"a","party":"trunk:tim","ref":"r0","up":true},
		"peer":{"id":"b","party":"phone:201","ref":"r1","up":true},"queue":"sales","offer":"o1","agent":"anna","caller_is":""}`))
	if err != nil {
		t.Fatal(err)
	}
	_, out := Next(s, LegEvent{Leg: "a", Kind: LegEnded, Cause: tel.CauseNormal, Remote: true}, noon)
	if got := brief(out); got != "hangup(b,normal) queue(TalkEnded) end(normal,caller)" {
		t.Errorf("a talk of the version before ends with %s", got)
	}
}
