// Plays tests/abi/session.txt through the Go binding.
package main

import (
	"abi"
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

type recorded struct {
	lines [][]uint64 // number, arguments, status, values
	at    int
}

func (r *recorded) Call(number uint64, args [4]uint64) (uint64, [3]uint64) {
	l := r.lines[r.at]
	r.at++
	same(append([]uint64{number}, args[:]...), l[:5]...)
	return l[5], [3]uint64{l[6], l[7], l[8]}
}

func same(got []uint64, want ...uint64) {
	for i, w := range want {
		if got[i] != w {
			panic(fmt.Sprintf("%x is not %x", got, want))
		}
	}
}

func load(path string) (lines [][]uint64) {
	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	for in := bufio.NewScanner(f); in.Scan(); {
		var line []uint64
		for _, w := range strings.Fields(strings.Replace(in.Text(), "=", "", 1)) {
			n, err := strconv.ParseUint(w, 16, 64)
			if err != nil {
				panic(err)
			}
			line = append(line, n)
		}
		lines = append(lines, line)
	}
	return lines
}

func ok(v [3]uint64, err error) []uint64 {
	if err != nil {
		panic(err)
	}
	return v[:]
}

func fails(want uint64, err error) {
	if s, is := err.(abi.Status); !is || uint64(s) != want {
		panic(fmt.Sprintf("%v, not status %d", err, want))
	}
}

func main() {
	t := &recorded{lines: load(os.Args[1])}
	same(ok(abi.DoAbiVersion(t)), abi.Version10)
	same(ok(abi.DoAbiQuery(t, abi.QueryCall, abi.CallEventSend-abi.CallBase)), 1, 0x10000, 0)
	same(ok(abi.DoAbiQuery(t, abi.QueryFeature, abi.FeatureControl)), 0)
	same(ok(abi.DoAbiQuery(t, abi.QueryLimit, abi.LimitPorts)), abi.MaxPorts)
	_, err := abi.DoAbiQuery(t, 9, 0)
	fails(abi.StatusBadArg, err)
	h := ok(abi.DoBufRegister(t, 0x100000, 4096, 0))[0]
	_, err = abi.DoBufRegister(t, 0x100800, 4096, 0)
	fails(abi.StatusExists, err)
	same(ok(abi.DoBufQuery(t, h)), 0x100000, 4096, 0)
	_, err = abi.DoEventOpen(t, abi.SourceSelf, 0, 0, 64)
	fails(abi.StatusBadState, err)
	ok(abi.DoEventSetup(t, h, 0))
	port := ok(abi.DoEventOpen(t, abi.SourceSelf, 0, 0, 64))[0]
	ok(abi.DoEventSend(t, port))
	same(ok(abi.DoEventMask(t, port, 1)), 0)
	same(ok(abi.DoEventMask(t, port, 0)), 1)
	_, err = abi.DoEventSend(t, 300)
	fails(abi.StatusBadArg, err)
	_, err = abi.DoBufUnregister(t, h)
	fails(abi.StatusBusy, err)
	ok(abi.DoEventClose(t, port))
	ok(abi.DoEventSetup(t, 0, 0))
	ok(abi.DoBufUnregister(t, h))
	_, err = abi.DoBufQuery(t, h)
	fails(abi.StatusNotFound, err)
	same([]uint64{uint64(t.at)}, uint64(len(t.lines)))
}
