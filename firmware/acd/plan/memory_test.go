package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/tel"
)

// After a power cut the queues begin with nothing but what the disk knew of callers.
func TestAfterAPowerCutACallerGetsThePlaceAndTheAgentOfBefore(t *testing.T) {
	o := staffed(t, q1("a", "b"), "a", "b")
	caller := tel.Number("0298765432")
	old := Memory{
		Caller: caller, Agent: "b", Served: o.now.Add(-time.Hour), Until: o.now.Add(time.Hour),
		Lost: &Place{Queue: "q", EnqueuedAt: o.now.Add(-10 * time.Minute), LeftAt: o.now.Add(-time.Second), Priority: 1},
	}
	s := o.s.Queues["q"]
	s.Spec.Sticky, s.Spec.Waiting.Return = 24*time.Hour, 2*time.Minute
	faded := Memory{Caller: "0211", Agent: "a", Until: o.now}
	o.do(Recall{Memories: []Memory{old, faded, {Agent: "a", Until: o.now.Add(time.Hour)}}})
	if len(o.s.Memories) != 1 {
		t.Fatalf("remembered %+v", o.s.Memories)
	}
	newer := old
	newer.Agent = "a"
	o.do(Recall{Memories: []Memory{newer}})
	if o.s.Memories[caller].Agent != "b" {
		t.Fatal("what is known is overwritten")
	}
	o.do(Pause{"a", ""})
	o.do(Pause{"b", ""})
	o.call("c1", "q")
	o.tell(tel.Enqueue{Call: "c2", Queue: "q", Caller: caller, EnqueuedAt: o.now})
	if w := o.s.Waiting("q"); w[0].Call != "c2" || !w[0].EnqueuedAt.Equal(old.Lost.EnqueuedAt) || w[0].Priority != 1 || w[0].Sticky != "b" {
		t.Fatalf("waiting %+v", w)
	}
	old.Lost.EnqueuedAt = time.Time{} // of the disk
	if o.s.Memories[caller].Lost != nil || o.s.Entries["c2"].EnqueuedAt.IsZero() {
		t.Error("the place is kept though it was taken")
	}
}

func TestRecalledMemoriesAreBounded(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	var many []Memory
	for i := range maxMemories + 10 {
		many = append(many, Memory{Caller: tel.Number(fmt.Sprint("+39", i)), Agent: "a", Until: o.now.Add(time.Hour + time.Duration(i))})
	}
	o.do(Recall{Memories: many})
	if len(o.s.Memories) != maxMemories {
		t.Errorf("%d are remembered", len(o.s.Memories))
	}
}

func TestWhoIsErasedIsAStrangerAndNobodyElseIs(t *testing.T) {
	o := staffed(t, q1("a"), "a")
	until := o.now.Add(time.Hour)
	o.do(Recall{Memories: []Memory{{Caller: "+390298765432", Agent: "a", Until: until}, {Caller: "+390211111111", Agent: "a", Until: until}}})
	o.do(Erase{[]Alias{{"+390298765432", "#*0000000001"}, {"+390600000000", "#*0000000002"}}})
	if len(o.s.Memories) != 1 || o.s.Memories["+390211111111"] == nil {
		t.Errorf("remembered %+v", o.s.Memories)
	}
}
