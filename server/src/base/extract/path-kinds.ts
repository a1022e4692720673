import type { pathKinds } from "@lanyard/contract";

type PathKind = (typeof pathKinds)[number];

/**
 * Patterns in lower case, apart by blanks: a name, or names with slashes between them, anywhere in a path; `/` in front: at its beginning; `/` at the end: the folder and
 * all below it; `*` is any text without a slash.
 */
const patterns: Readonly<Record<Exclude<PathKind, "hidden">, string>> = {
  "agent-config": `
    claude.md claude.local.md agents.md agents.override.md agent.md gemini.md copilot-instructions.md codex.md qwen.md crush.md warp.md skill.md
    .cursorrules .windsurfrules .clinerules/ .goosehints .roorules .roomodes .rules .aider.conf.yml .aider.conf.yaml
    .mcp.json mcp.json mcp.jsonc mcp_config.json mcp_settings.json cline_mcp_settings.json claude_desktop_config.json mcp.yaml mcp.toml opencode.json opencode.jsonc lanyard.yaml
    .claude/ .claude.json .cursor/ .codex/ .gemini/ .windsurf/ .cline/ .roo/ .continue/ .amazonq/ .aws/amazonq/ .kiro/ .qwen/ .opencode/ .augment/ .goose/ .junie/ .trae/ .lanyard/
    .vscode/settings.json .vscode/mcp.json .vscode/tasks.json .vscode/launch.json .vscode/extensions.json *.code-workspace .zed/
    .github/copilot-instructions.md .github/copilot/ .github/instructions/ .github/prompts/ .github/agents/ .github/chatmodes/ .devcontainer/ .devcontainer.json`,
  ci: `
    .github/workflows/ .github/actions/ .github/codeowners codeowners .github/dependabot.yml .gitea/workflows/ .forgejo/workflows/ .gitlab-ci.yml .gitlab-ci.yaml .gitlab/ jenkinsfile
    .circleci/ azure-pipelines.yml azure-pipelines.yaml .travis.yml .drone.yml bitbucket-pipelines.yml .buildkite/ .woodpecker/ .woodpecker.yml cloudbuild.yaml buildspec.yml .tekton/ appveyor.yml`,
  hook: `
    .git/hooks/ .git/config .git/info/attributes .git/modules/*/config .git/modules/*/hooks/ .husky/ .githooks/ .pre-commit-config.yaml lefthook*.yml
    .bashrc .bash_profile .bash_login .bash_logout .bash_aliases .profile .zshrc .zshenv .zprofile .zlogin .cshrc .kshrc .inputrc .envrc .xprofile .xinitrc .gitconfig .vimrc .npmrc .yarnrc .yarnrc.yml .condarc
    .config/autostart/ .config/systemd/ .config/fish/ .config/git/ .config/nvim/ .config/environment.d/ .local/share/applications/
    crontab /etc/cron.d/ /etc/cron.daily/ /etc/cron.hourly/ /etc/cron.weekly/ /etc/cron.monthly/ spool/cron/ launchagents/ launchdaemons/ systemd/system/ systemd/user/ /etc/init.d/ rc.local /etc/profile.d/ /etc/ld.so.preload
    sitecustomize.py usercustomize.py site-packages/*.pth .ssh/authorized_keys .ssh/authorized_keys2 .ssh/rc .ssh/config startup/*.lnk startup/*.bat startup/*.vbs`,
  credential: `
    .ssh/ .aws/ .azure/ .gnupg/ .kube/ kubeconfig *.kubeconfig .docker/config.json .dockercfg .netrc _netrc .git-credentials .pgpass .my.cnf .npmrc .pypirc .htpasswd .vault-token .terraform.d/ .boto .s3cfg
    .config/gcloud/ .config/gh/ .config/hub .config/op/ .config/sops/ .config/rclone/ .config/doctl/ .config/heroku/ .config/lanyard/ .password-store/
    credentials credentials.json credentials.yml credentials.yaml credentials.yml.enc credentials.csv credentials.ini credentials.toml credentials.db client_secret*.json service-account*.json service_account*.json serviceaccount*.json
    secrets secrets.json secrets.yml secrets.yaml secrets.toml secrets.env secrets.txt secret.json secret.yml secret.yaml secret.txt secrets/ master.key passwords.txt passwords.csv *.kdbx
    id_rsa id_dsa id_ecdsa id_ed25519 id_rsa.* id_dsa.* id_ecdsa.* id_ed25519.* *.pem *.key *.p12 *.pfx *.jks *.keystore *.ppk *.ovpn *.tfstate *.tfstate.backup
    /etc/shadow /etc/shadow- /etc/gshadow /etc/sudoers /etc/sudoers.d/ /etc/krb5.keytab /etc/ssl/private/ /proc/*/environ /run/secrets/ /var/run/secrets/
    .env .env.* keychains/ login.keychain* cookies.sqlite logins.json key3.db key4.db wallet.dat .bash_history .zsh_history .python_history .psql_history .mysql_history .node_repl_history`,
  env: ".env .env.* *.env .envrc .flaskenv",
  // What is installed, built and run.
  manifest: `
    package.json *requirements*.txt pyproject.toml setup.py setup.cfg conftest.py pipfile cargo.toml build.rs go.mod gemfile rakefile composer.json pom.xml build.gradle build.gradle.kts gradlew mvnw gnumakefile makefile
    .npmrc pip.conf dockerfile docker-compose*.yml docker-compose*.yaml compose.yml compose.yaml vite.config.* vitest.config.* jest.config.* webpack.config.* rollup.config.* eslint.config.*`,
  memory: `
    memories/ .memory/ .memories/ memory-bank/ memory_bank/ agent-memory/ agent_memory/ .mem0/ .letta/ memory.md memory.json memory.jsonl memory.txt memory.db memories.md memories.json memories.jsonl
    memory/*.md memory/*.json memory/*.jsonl memory/*.txt memory/*.db soul.md heartbeat.md user-profile.md user_profile.md`,
  settings: "*.json *.jsonc *.json5 *.yml *.yaml *.toml *.ini *.cfg *.conf *.properties .env .env.* *.env",
  // What people write programs in.
  source: "*.ts *.tsx *.js *.jsx *.mts *.cts *.mjs *.cjs *.vue *.svelte *.py *.go *.rs *.rb *.java *.kt *.kts *.cs *.php *.swift *.scala *.c *.h *.cc *.cpp *.hpp *.sql *.css *.scss *.less *.html *.htm *.sh *.bash *.ps1 *.lua *.r *.tf",
  system: "/etc/ /bin/ /sbin/ /boot/ /dev/ /lib/ /lib32/ /lib64/ /proc/ /root/ /run/ /sys/ /usr/ /var/lib/ /var/run/ /var/spool/ /var/log/ /var/db/ /library/application?support/ /library/audio/ /library/extensions/ /library/frameworks/ /library/internet?plug-ins/ /library/keychains/ /library/launchagents/ /library/launchdaemons/ /library/preferences/ /library/privilegedhelpertools/ /library/quicklook/ /library/scripts/ /library/security/ /library/startupitems/ /library/systemextensions/ /system/ /private/etc/ /private/var/db/ ?:/windows/ ?:/program?files/ ?:/program?files?(x86)/ ?:/programdata/",
  temporary: "/tmp/ /var/tmp/ /dev/shm/ /private/tmp/ /var/folders/ appdata/local/temp/",
};
/** Of the patterns above, what is no secret: these are there to be copied and filled in. */
const templates = /\/\.env\.(?:example|sample|template|dist|defaults?|schema)$/;

const kinds: readonly (readonly [PathKind, RegExp])[] = [...Object.entries(patterns).map(([kind, text]) => [kind as PathKind, expression(text.trim().split(/\s+/))] as const), ["hidden", /\/\.[^/.]/] as const].sort(([a], [b]) => (a < b ? -1 : 1));

/** Each pattern is one alternative; without backtracking, since `*` stops at a slash and each part is anchored at one. */
function expression(all: readonly string[]): RegExp {
  const one = (pattern: string): string => {
    const anchored = pattern.startsWith("/") || pattern.startsWith("?:");
    const below = pattern.endsWith("/");
    const body = pattern.replace(/^\/|\/$/g, "").replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*").replaceAll("?", "[^/]");
    return `${anchored ? "^/" : "/"}${body}${below ? "(?=/|$)" : "$"}`;
  };
  return new RegExp(all.map(one).join("|"));
}

/** What kinds of places a normalised path leads to, told without regard to case, as some systems open files. Sorted. */
export function kindsOfPath(path: string): readonly PathKind[] {
  const folded = `${path.startsWith("/") ? "" : "/"}${path.toLowerCase()}`;
  const isRooted = path.startsWith("/") || /^[A-Za-z]:\//.test(path);
  const isTemplate = templates.test(folded);
  return kinds.flatMap(([kind, pattern]) => ((kind === "system" || kind === "temporary") && !isRooted) || (isTemplate && kind === "credential") || !pattern.test(folded) ? [] : [kind]);
}
