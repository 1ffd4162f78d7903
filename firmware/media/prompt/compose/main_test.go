package main

import (
	"math"
	"os"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/media/wav"
)

// The file in the product is what this program composes; another processor may round a sample differently.
func TestTheMusicInTheProductIsThisOne(t *testing.T) {
	f, err := os.Open("../sounds/music/hold.wav")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := wav.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.ReadAll(total)
	if err != nil {
		t.Fatal(err)
	}
	want := compose()
	if len(got) != len(want) {
		t.Fatalf("the file has %d samples, the music %d", len(got), len(want))
	}
	var signal, noise float64
	for i := range want {
		e := float64(got[i]) - float64(want[i])
		signal += float64(want[i]) * float64(want[i])
		noise += e * e
	}
	if snr := 10 * math.Log10(signal/noise); snr < 33 {
		t.Errorf("the file is %.1f dB from the music, want A-law's 33 or more", snr)
	}
}
