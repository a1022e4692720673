import { expect, it } from "vitest";
import { shellFacts } from "./shell.ts";

// Whoever only looks does no more as somebody else.

it.each([
  "sudo du -xh --max-depth=3 /var | sort -rh | head -8",
  "df -h /home; sudo du -xsh /home/c2210/*",
  "sudo -n tail -n 50 /var/log/nginx/error.log",
  "sudo grep -c ' 502 ' /var/log/nginx/access.log",
  "sudo journalctl -u tided --since -1h --no-pager",
  "sudo systemctl status tided",
  "sudo -u deploy ls -la /srv/app",
  "sudo find /var/spool -type f -mtime +14",
])("%s only looks", (command) => {
  expect(shellFacts(command).class).toBe("read");
});

it.each([
  "sudo",
  "sudo -i",
  "sudo -s ls",
  "sudo cat /etc/shadow",
  "sudo cat /etc/shado?",
  "sudo tail /root/.bash_history",
  "sudo grep -r password /etc",
  "sudo grep -f /etc/shadow /var/log/syslog",
  "sudo cat /var/log/../../etc/shadow",
  "sudo cat $FILE",
  "sudo head",
  "sudo strings /dev/mem",
  "sudo sed -n 1p /etc/shadow",
  "sudo find / -name x -delete",
  "sudo find / -name x -exec rm {} ;",
  "sudo du -s /var | sudo tee /etc/motd",
  "sudo PATH=/tmp ls",
  "sudo env A=1 ls",
  "sudo systemctl restart tided",
  "sudo journalctl --vacuum-size=2G",
  "sudo -u postgres psql -c 'select 1'",
  "sudo --preserve-env ls",
])("%s may do more", (command) => {
  expect(["exec", "unknown"]).toContain(shellFacts(command).class);
});
