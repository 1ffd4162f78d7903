package config

import (
	"strings"
	"testing"
)

func TestFaultsOfBackupsAreFoundAtSave(t *testing.T) {
	for text, want := range map[string]string{
		"backup: {to: media/usb}":                    "backup.to",
		"backup: {to: 'ftp://nas/x'}":                "backup.to",
		"backup: {to: 'smb://nas/x'}":                "",
		"backup: {to: 'smb://nas'}":                  "backup.to",
		"backup: {to: 's3://s3.test/'}":              "backup.to",
		"backup: {to: 'https:///x'}":                 "backup.to",
		"backup: {to: 'https://u:p@nas/x'}":          "backup.to",
		"backup: {to: 'https://nas/x?y'}":            "backup.to",
		"backup: {to: 's3://s3.test/b', region: eu}": "",
		"backup: {to: /}":                            "backup.to",
		"backup: {hour: 24}":                         "backup.hour",
		"backup: {hour: -1}":                         "backup.hour",
		"backup: {to: /media/usb, hour: 0}":          "",
		"box: {name: Backups are not needed}":        "",
	} {
		_, err := Parse([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
