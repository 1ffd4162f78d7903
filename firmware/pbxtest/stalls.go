package pbxtest

import "time"

// Stalls measures, until stop is closed, for how long this process was not run when it should have been, and tells the
// longest time. A judge shares the machine with what it judges, and must not blame that for its own waits.
func Stalls(stop <-chan struct{}) <-chan time.Duration {
	longest := make(chan time.Duration, 1)
	go func() {
		const each = 5 * time.Millisecond
		var most time.Duration
		for last := time.Now(); ; {
			select {
			case <-stop:
				longest <- most
				return
			case <-time.After(each):
			}
			now := time.Now()
			most = max(most, now.Sub(last)-each)
			last = now
		}
	}()
	return longest
}
