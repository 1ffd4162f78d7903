package forecast_test

import (
	"testing"
	"testing/quick"
	"time"

	"github.com/pronto-pbx/pronto/firmware/acd/forecast"
)

func TestAForecastInWords(t *testing.T) {
	const s, m = time.Second, time.Minute
	for _, c := range []struct {
		low, high time.Duration
		want      forecast.Announcement
		said      bool
	}{
		{5 * s, 40 * s, forecast.Announcement{Words: forecast.LessThan, Max: 1}, true},
		{5 * s, 60 * s, forecast.Announcement{Words: forecast.LessThan, Max: 1}, true},
		{5 * s, 61 * s, forecast.Announcement{Words: forecast.LessThan, Max: 2}, true},
		{200 * s, 350 * s, forecast.Announcement{Words: forecast.Between, Min: 3, Max: 6}, true},
		{3 * m, 3 * m, forecast.Announcement{Words: forecast.Between, Min: 3, Max: 4}, true},
		{8 * m, 13 * m, forecast.Announcement{Words: forecast.Between, Min: 8, Max: 15}, true},
		{14 * m, 26 * m, forecast.Announcement{Words: forecast.Between, Min: 10, Max: 30}, true},
		{14 * m, 60 * m, forecast.Announcement{Words: forecast.Between, Min: 10, Max: 60}, true},
		{14 * m, 61 * m, forecast.Announcement{Words: forecast.MoreThan, Min: 10}, true},
		{70 * m, forecast.Longest, forecast.Announcement{Words: forecast.MoreThan, Min: 60}, true},
		{30 * s, forecast.Longest, forecast.Announcement{}, false},
	} {
		f := forecast.Forecast{Known: true, Low: c.low, Median: (c.low + c.high) / 2, High: c.high}
		if got, said := f.Announce(); got != c.want || said != c.said {
			t.Errorf("%v to %v: %+v %v, want %+v %v", c.low, c.high, got, said, c.want, c.said)
		}
	}
}

func TestWordsNeverPromiseMoreThanTheInterval(t *testing.T) {
	honest := func(a, b uint32) bool {
		lo, hi := time.Duration(a%7200)*time.Second, time.Duration(b%7200)*time.Second
		if lo > hi {
			lo, hi = hi, lo
		}
		w, said := forecast.Forecast{Known: true, Low: lo, Median: lo, High: hi}.Announce()
		least, most := time.Duration(w.Min)*time.Minute, time.Duration(w.Max)*time.Minute
		if w.Words == forecast.MoreThan {
			most = forecast.Longest
		}
		return !said || (least <= lo && most >= hi && least < most)
	}
	if err := quick.Check(honest, &quick.Config{MaxCount: 20000}); err != nil {
		t.Error(err)
	}
}
