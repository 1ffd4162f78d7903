package main

import (
	"testing"

	"github.com/pronto-pbx/pronto/board/account"
)

func TestTheSharesOfAllServicesLeaveTheSystemItsOwn(t *testing.T) {
	for _, total := range []uint64{470e6, 960e6, 1900e6, 8e9} { // of 512 MB, 1, 2 and 8 GB what the kernel leaves
		var sum uint64
		for _, s := range services("1.0.0") {
			share := shareOf(s.Name, total)
			if share < least && (s.Name != updater || share < least/2) {
				t.Errorf("%s has %d bytes of %d", s.Name, share, total)
			}
			if s.Name != exchange && share > shareOf(exchange, total) {
				t.Errorf("%s may have more than the exchange", s.Name)
			}
			if s.Name != updater || total > 900e6 { // no board that takes updates of the image has less than 1 GB
				sum += share
			}
			if a, ok := account.Of(s.Name, paths()); !ok || a.Cell.Threads == 0 {
				t.Errorf("%s may have as many processes as it likes", s.Name)
			}
		}
		// The system lies in memory: some 70 MB. The kernel and the first program take 30.
		if sum+100e6 > total {
			t.Errorf("of %d bytes the services may have %d", total, sum)
		}
	}
}
