import type { Alert } from '../../core/alert.ts';
import type { RuleInfo } from '../../detectors/rule.ts';
import { severityRank } from '../../core/types.ts';
import { formatDuration, formatNumber } from '../cli/format.ts';
import { printRatio, printSize } from '../config/units.ts';
import { MINUTE_MS } from '../../core/window.ts';
import type { ReportRule } from './report.ts';

/** What each rule that ran raised, in the order of the rules. `limits` are those in force where they are not the rule's defaults. */
export function reportRules(
  rules: readonly RuleInfo[],
  alerts: readonly Alert[],
  limits: ReadonlyMap<string, RuleInfo['defaults']> = new Map(),
): readonly ReportRule[] {
  return rules.map((rule) => {
    const raised = alerts.filter((alert) => alert.rule === rule.id);
    return {
      rule: rule.id,
      description: limitsText(rule, limits.get(rule.id) ?? rule.defaults),
      alerts: raised.length,
      criticals: raised.filter((alert) => severityRank(alert.severity) >= severityRank('critical')).length,
      keys: new Set(raised.map((alert) => alert.entity)).size,
    };
  });
}

/** `500 / 1,000 requests in 1 min`: warning and critical limit. */
function limitsText(rule: RuleInfo, { warning, critical }: RuleInfo['defaults']): string {
  const levels = [warning, critical].filter((level) => level !== undefined).map((level) => levelText(rule, level));
  if (levels.length === 0) return 'off';
  const unit = rule.unit === 'bytes' || rule.unit === 'ratio' ? '' : ` ${rule.unit}`;
  return `${levels.join(' / ')}${unit} in ${formatDuration(rule.minutes * MINUTE_MS)}`;
}

function levelText(rule: RuleInfo, level: number): string {
  switch (rule.unit) {
    case 'bytes':
      return printSize(level).replace(/^([0-9.]+)([A-Z]+)$/, '$1 $2');
    case 'ratio':
      return printRatio(level).replace('%', ' %');
    default:
      return formatNumber(level);
  }
}
