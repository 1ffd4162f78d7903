package uitest

import "github.com/pronto-pbx/pronto/ui/voice/voicetest"

// voices is what the box of the tests says: one sentence has been replaced.
func voices() *voicetest.Memory {
	m := &voicetest.Memory{}
	m.Put("it/greeting", "Buongiorno, before")
	return m
}
