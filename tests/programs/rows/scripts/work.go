// SPDX-License-Identifier: Apache-2.0
package main

/*
#include <stdlib.h>
#include <string.h>
#cgo CFLAGS: -O1
static unsigned long churn(unsigned long seed) {
  unsigned long sum = 0;
  char* kept[64] = {0};
  for (int i = 0; i < 20000; ++i) {
    unsigned long at = (seed + i) % 64, bytes = 16 + (seed * 31 + i * 7) % 5000;
    free(kept[at]);
    kept[at] = malloc(bytes);
    memset(kept[at], i & 127, bytes);
    sum += kept[at][bytes - 1];
  }
  for (int i = 0; i < 64; ++i) free(kept[i]);
  return sum;
}
*/
import "C"

import (
	"fmt"
	"os/exec"
	"runtime"
	"sync"
)

func deep(n int, seed C.ulong) C.ulong {
	var pad [256]byte
	pad[n%256] = 1
	if n == 0 {
		return C.churn(seed)
	}
	return deep(n-1, seed) + C.ulong(pad[n%256]-1)
}

func main() {
	var group sync.WaitGroup
	sums := make([]C.ulong, 64)
	for i := range sums {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			if i%8 == 0 {
				runtime.LockOSThread() // its thread ends with the goroutine
			}
			sums[i] = deep(100, C.ulong(i))
		}(i)
	}
	group.Wait()
	out, err := exec.Command("/bin/echo", "through exec").Output()
	fmt.Println(sums, string(out), err)
}
