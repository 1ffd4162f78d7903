package front

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTheReadersLanguageIsThatOfTheLinkThenOfTheBrowser(t *testing.T) {
	for _, tc := range []struct{ path, browser, want string }{
		{"/", "it-IT,it;q=0.9,en;q=0.8", "it"},
		{"/", "de-DE, en-GB;q=0.8", "en"},
		{"/?lang=en", "it", "en"},
		{"/?lang=fr", "it", "it"},
		{"/", "de", ""},
		{"/", "", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, tc.path, nil)
		r.Header.Set("Accept-Language", tc.browser)
		if got := Language(r); got != tc.want {
			t.Errorf("%s with %q: %q, want %q", tc.path, tc.browser, got, tc.want)
		}
	}
}
