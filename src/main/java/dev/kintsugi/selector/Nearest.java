package dev.kintsugi.selector;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/// Finds what somebody probably meant.
public final class Nearest {
    private static final int MAX_LENGTH = 200;

    private Nearest() {}

    /// Up to `limit` of `candidates` that are close to `word`, closest first: alike up to case, beginning
    /// with it, holding it, or few letters away.
    public static List<String> to(String word, Collection<String> candidates, int limit) {
        String wanted = word.toLowerCase(Locale.ROOT);
        if (wanted.isEmpty() || wanted.length() > MAX_LENGTH) {
            return List.of();
        }
        int reach = Math.max(2, wanted.length() / 4);
        record Scored(String text, int score) {}
        return candidates.stream()
                .map(c -> new Scored(c, score(wanted, c.toLowerCase(Locale.ROOT), reach)))
                .filter(s -> s.score <= reach * 2)
                .sorted(Comparator.comparingInt(Scored::score).thenComparing(Scored::text))
                .limit(limit)
                .map(Scored::text)
                .toList();
    }

    private static int score(String wanted, String candidate, int reach) {
        if (candidate.equals(wanted)) {
            return 0;
        }
        if (candidate.startsWith(wanted) || candidate.endsWith("." + wanted)) {
            return 1;
        }
        int limit = Math.abs(candidate.length() - wanted.length()) > reach ? Integer.MAX_VALUE : reach;
        int distance = limit == reach && candidate.length() <= MAX_LENGTH ? distance(wanted, candidate) : limit;
        if (distance <= reach) {
            return 1 + distance;
        }
        return wanted.length() > 2 && candidate.contains(wanted) ? reach * 2 : Integer.MAX_VALUE;
    }

    /// Letters to insert, drop, change or swap with their neighbour.
    private static int distance(String a, String b) {
        int[][] cost = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    cost[i][j] = i + j;
                    continue;
                }
                int change = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
                cost[i][j] = Math.min(cost[i - 1][j - 1] + change, 1 + Math.min(cost[i - 1][j], cost[i][j - 1]));
                boolean swapped =
                        i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1);
                if (swapped) {
                    cost[i][j] = Math.min(cost[i][j], cost[i - 2][j - 2] + 1);
                }
            }
        }
        return cost[a.length()][b.length()];
    }
}
