package config

import (
	"strings"
	"testing"
)

func TestFaultsOfBackupsAreFoundAtSave(t *testing.T) {
	for text, want := range map[string]string{
		"backup: {to: media/usb}":             "backup.to",
		"backup: {to: /}":                     "backup.to",
		"backup: {hour: 24}":                  "backup.hour",
		"backup: {hour: -1}":                  "backup.hour",
		"backup: {to: /media/usb, hour: 0}":   "",
		"box: {name: Backups are not needed}": "",
	} {
		_, err := Parse([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
