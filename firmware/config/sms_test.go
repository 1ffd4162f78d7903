package config

import (
	"errors"
	"testing"
	"time"
)

func TestSMSLimitsHaveDefaultsAndRanges(t *testing.T) {
	if got := parsed(t, "sms: {day_parts: 5}").SMS; got != (SMS{HourParts: 30, DayParts: 5, HourIn: 600, DayIn: 5000, JoinFor: 72 * time.Hour, TryFor: 24 * time.Hour}) {
		t.Errorf("read %+v", got)
	}
	for text, path := range map[string]string{
		"sms: {hour_parts: -1}":    "sms.hour_parts",
		"sms: {day_parts: 200000}": "sms.day_parts",
		"sms: {hour_in: -1}":       "sms.hour_in",
		"sms: {day_in: 2000000}":   "sms.day_in",
		"sms: {join_for: 1m}":      "sms.join_for",
		"sms: {try_for: 0s}":       "sms.try_for",
	} {
		_, err := Parse([]byte(text))
		var found Problems
		if !errors.As(err, &found) || len(found) != 1 || found[0].Path != path {
			t.Errorf("%s: %v", text, err)
		}
	}
}
