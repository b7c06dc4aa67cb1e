<?php // SPDX-License-Identifier: Apache-2.0
$results = [];
$table = [];
for ($n = 1; $n <= 300000; ++$n) $table[($n * 7919) % 1000003] = "value $n";
ksort($table);
$results[] = hash('sha256', serialize($table));
$table = array_filter($table, fn($key) => $key % 3 == 0, ARRAY_FILTER_USE_KEY);
$results[] = hash('sha256', json_encode(unserialize(serialize($table))));
$results[] = preg_match_all('/(\d)\d*\1/', implode(' ', array_keys($table)));
if (function_exists('pcntl_fork')) for ($i = 0; $i < 10; ++$i) {
  $pid = pcntl_fork();
  if (!$pid) exit(strlen(str_repeat("grown", 100000 + $i)) % 251);
  pcntl_waitpid($pid, $status);
  $results[] = pcntl_wexitstatus($status);
}
$results[] = shell_exec('echo through a shell');
echo hash('sha256', implode('|', $results)), "\n";
