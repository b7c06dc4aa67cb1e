# SPDX-License-Identifier: Apache-2.0
use strict; use warnings; use threads; use Digest::SHA qw(sha256_hex);
my %table = map { ($_ * 7919) % 1000003 => "value $_" } 1 .. 80000;
delete @table{grep { $_ % 3 } keys %table};
my @threads = map { my $seed = $_; threads->create(sub {
  my @words = map { ($seed * $_) % 9973 } 1 .. 20000;
  my $text = join ' ', sort { $a <=> $b } @words;
  my $count = () = $text =~ /\b(\d)\d*\1\b/g;
  return "$count:" . sha256_hex($text);
}) } 1 .. 4;
my @results = map { $_->join } @threads;
for my $generation (1 .. 20) {
  pipe(my $read, my $write);
  my $pid = fork // die "fork: $!";
  if (!$pid) { my @grown = map { "$generation-$_" } 1 .. 5000; print $write sha256_hex(join ',', @grown); exit 3 }
  close $write; push @results, <$read>; waitpid $pid, 0; push @results, $? >> 8;
}
push @results, `echo through a shell; exit 4`, $? >> 8;
system('/bin/true') == 0 or die;
print sha256_hex(join '|', @results, map { "$_=$table{$_}" } sort keys %table), "\n";
