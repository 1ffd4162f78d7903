package ivr

import "testing"

func TestATrialOfALineIsProvedByTheKeyAlone(t *testing.T) {
	for name, steps := range map[string][]step{
		"the key during the words": {
			{Started{}, "play greeting"},
			{key('1'), "hush; proved; play goodbye"},
			{Played{}, "hangup"},
		},
		"the key after the words": {
			{Started{}, "play greeting"},
			{Played{}, ""},
			{key('1'), "proved; play goodbye"},
			{Played{}, "hangup"},
		},
		"another key proves nothing, and the words are said again": {
			{Started{}, "play greeting"},
			{key('5'), "hush; play greeting"},
			{key('1'), "hush; proved; play goodbye"},
		},
		"who presses nothing has proved nothing": {
			{Started{}, "play greeting"},
			{Played{}, ""},
			{timeout{}, "play greeting"},
			{Played{}, ""},
			{timeout{}, "play greeting"},
			{Played{}, ""},
			{timeout{}, "play goodbye"},
			{Played{}, "hangup"},
		},
		"who hangs up has proved nothing": {
			{Started{}, "play greeting"},
			{Left{}, ""},
			{key('1'), ""},
		},
		"after a restart the words are said again": {
			{Started{}, "play greeting"},
			{Resumed{}, "play greeting"},
			{key('1'), "hush; proved; play goodbye"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, &Trial{Names: []string{"greeting"}, Key: '1'}, steps)
		})
	}
}
