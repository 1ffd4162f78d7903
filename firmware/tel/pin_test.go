package tel

import (
	"errors"
	"testing"
)

func TestEasyCodesAreRefused(t *testing.T) {
	for pin, good := range map[string]bool{
		"8264": true, "90210": true, "1357": true, "1945": true, "0826451937": true,
		"": false, "826": false, "82645193701": false, "82a4": false, "82 4": false,
		"0000": false, "7777": false, "1234": false, "23456": false, "7890": false, "4321": false, "2109": false, "0123456789": false,
		"0201": false, "2010": false, "201201": false,
	} {
		if err := GoodPIN("201", pin); (err == nil) != good || err != nil && !errors.Is(err, ErrEasyPIN) {
			t.Errorf("%q: %v", pin, err)
		}
	}
}
