package main_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// deaths is at how many writes of a call's life the box dies in turn: more than it takes until two talk.
func deaths() int {
	if testing.Short() {
		return 3
	}
	return 16
}

// Whatever write the box dies at, between the INVITE of a caller and the talk with an agent: the caller, who calls once,
// is answered, talks, and is one record.
func TestACallerIsServedAtWhicheverWriteTheBoxDies(t *testing.T) {
	began := time.Now()
	o := fragileBench(t).Start(t, pbxtest.Setup{Agents: 1, LoggedIn: 1, Carrier: 5070, LongestPause: 50 * time.Millisecond, Queue: "waiting: {greeting: [none]}"})
	anna, carrier := deskAt(t, o, 201, hzAgent), carrierOf(t, o, hzCarrier)
	died := 0
	for n := range deaths() {
		o.Lamp(201, tel.AgentReady)
		dies := o.DieAt(n + 1)
		c := carrier.customer(number(n))
		first := make(chan *peer.Call, 1)
		go func() { // the phone rings before the box dies, or after
			select {
			case at := <-anna.rings:
				at.Answer()
				first <- at
			case <-time.After(patience):
				close(first)
			}
		}()
		if dies(time.Second) {
			died++
		}
		at := <-first
		for ; at == nil || isOver(at) || !isTalking(o, number(n)); time.Sleep(10 * time.Millisecond) {
			if isOver(c) || at == nil {
				status, reason, _ := c.Outcome()
				t.Fatalf("death at write %d: the caller is turned away, or nobody is rung: %d %s", n+1, status, reason)
			}
			if isOver(at) {
				at = anna.picksUp()
			}
		}
		talking(t, fmt.Sprintf("after the death at write %d", n+1), c, hzCarrier, at, hzAgent)
		over(t, c, at)
	}
	o.CallRecords(deaths())
	if told := carrier.Told(481) + anna.Told(481); told > 0 {
		t.Errorf("%d times there was no such call", told)
	}
	if died < deaths()/2 {
		t.Errorf("the box died at only %d of %d writes", died, deaths())
	}
	t.Logf("%d deaths at a write, %d after all of them, in %.1f s", died, deaths()-died, time.Since(began).Seconds())
}

// isTalking reports whether the call of a number is with an agent.
func isTalking(o *pbxtest.Office, from string) bool {
	n, err := o.Now()
	return err == nil && slices.ContainsFunc(n.Calls, func(c tel.CallChanged) bool { return string(c.From) == from && c.Stage == tel.StageTalking })
}

// fragileBench builds programs of which prontod can be made to die at a write.
func fragileBench(t *testing.T) *pbxtest.Bench {
	t.Helper()
	b, err := pbxtest.NewBench("-tags", "failpoint", "../prontod", "../recordd", "../prontoctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// isOver reports whether a call is over.
func isOver(c *peer.Call) bool {
	select {
	case <-c.Ended():
		return true
	default:
		return false
	}
}
