// Package alphabet makes the tables of the GSM alphabets safe for several modems at once.
package alphabet

import (
	"sync"

	"github.com/warthog618/sms/encoding/gsm7/charset"
)

// Ready returns when every table is made. The library makes each at its first use, without a lock, so
// whoever encodes or decodes comes here before.
func Ready() { tables() }

var tables = sync.OnceFunc(func() {
	charset.DefaultDecoder()
	charset.DefaultEncoder()
	charset.DefaultExtEncoder()
	for nli := charset.Start; nli < charset.End; nli++ {
		charset.NewDecoder(nli)
	}
})
